import { Fault, sentenceOf } from "#errors";
import { defineCli } from "../../command.ts";
import { LARGEST_CONTEXT, packContext, unpackContext } from "../../contexts/archive.ts";
import { ContextStore, checkContextName } from "../../contexts/store.ts";
import { fs } from "../../lazy-fs.ts";

/** `bunker context export`. */
export const contextExport = defineCli({
  synopsis: "CONTEXT [FILE|-]",
  about: "Export a context to a tar archive FILE or a tar stream on STDOUT",
  example: "bunker context export lab lab.tar",
  flags: {},
  words: { min: 1, max: 2 },
  async run({ words: [name = "", target = ""], session }) {
    const store = new ContextStore(session.env);
    const bytes = await packContext(store.read(name), store.tls(name));
    const path = target === "" ? `${name}.dockercontext` : target;
    if (path === "-") {
      if (session.console.isTerminal(1))
        throw new Fault("invalid", "cowardly refusing to export to a terminal, specify a file path");
      session.console.out(bytes);
      return 0;
    }
    writeNew(path, bytes);
    session.complain(`Written file ${JSON.stringify(path)}`);
    return 0;
  },
});

/** For the owner alone, as keys may be in it; never over a file that is there. */
function writeNew(path: string, bytes: Uint8Array): void {
  try {
    fs().writeFileSync(path, bytes, { flag: "wx", mode: 0o600 });
  } catch (cause) {
    throw new Fault("invalid", `Cannot export the context to ${path}: ${sentenceOf(cause)}`, { cause });
  }
}

/** `bunker context import`. */
export const contextImport = defineCli({
  synopsis: "CONTEXT FILE|-",
  about: "Import a context from a tar file",
  example: "bunker context import lab lab.tar",
  flags: {},
  words: { min: 2, max: 2 },
  async run({ words: [name = "", source = ""], session }) {
    const store = new ContextStore(session.env);
    checkContextName(name);
    if (store.has(name)) throw new Fault("conflict", `context ${JSON.stringify(name)} already exists`);
    const { context, tls } = await unpackContext(await contentOf(source));
    store.write({ ...context, Name: name }, tls);
    session.say(name);
    session.complain(`Successfully imported context ${JSON.stringify(name)}`);
    return 0;
  },
});

/** No more of it than shows that it is too large. */
async function contentOf(source: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const piece of (source === "-" ? Bun.stdin : Bun.file(source)).stream()) {
      pieces.push(piece);
      size += piece.length;
      if (size > LARGEST_CONTEXT) break;
    }
    return Buffer.concat(pieces);
  } catch (cause) {
    throw new Fault("invalid", `Cannot read ${source}: ${sentenceOf(cause)}`, { cause });
  }
}
