import { cloneVolume, exportVolume, importVolume, restoreVolume } from "#client";
import { Fault, sentenceOf } from "#errors";
import { defineCli } from "../../command.ts";
import { writeOutput } from "../../copy/output.ts";
import { fs } from "../../lazy-fs.ts";

export const LIVE_FLAG = {
  kind: "bool",
  about: "Also while a running container writes to it: what is read may be of no one moment",
} as const;

/** `bunker volume export`. */
export const volumeExport = defineCli({
  synopsis: "[OPTIONS] VOLUME",
  about: "Export a volume's content as a tar archive",
  example: "bunker volume export -o data.tar data",
  flags: {
    live: LIVE_FLAG,
    output: { kind: "text", hint: "string", short: "o", about: "Write to a file, instead of STDOUT" },
  },
  words: { min: 1, max: 1 },
  async run({ flags, words: [name = ""], session }) {
    const path = flags.text("output");
    if (path === "" && session.console.isTerminal(1))
      throw new Fault("invalid", "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    const isLive = flags.bool("live");
    await writeOutput(session, { path, open: () => exportVolume(session.daemon, name, { isLive }) });
    return 0;
  },
});

/** `bunker volume import`. */
export const volumeImport = defineCli({
  synopsis: "VOLUME FILE|-",
  about: "Put a tar archive in the place of a volume's content, all of it or nothing",
  example: "bunker volume import data data.tar",
  flags: {},
  words: { min: 2, max: 2 },
  async run({ words: [name = "", path = ""], session }) {
    if (path === "-" && session.console.isTerminal(0))
      throw new Fault("invalid", "Cannot read an archive from a terminal: name a file, or redirect one here");
    await importVolume(session.daemon, name, path === "-" ? Bun.stdin.stream() : opened(path));
    return 0;
  },
});

/** Opened before the daemon is asked: a file that is not there changes nothing. */
function opened(path: string): AsyncIterable<Uint8Array> {
  try {
    fs().accessSync(path, fs().constants.R_OK);
    if (fs().statSync(path).isDirectory()) throw new Error("it is a directory");
  } catch (cause) {
    throw new Fault("invalid", `Cannot read ${path}: ${sentenceOf(cause)}`, { cause });
  }
  return Bun.file(path).stream();
}

/** `bunker volume clone`. */
export const volumeClone = defineCli({
  synopsis: "[OPTIONS] VOLUME NEW_VOLUME",
  about: "Create a volume with the content of another",
  example: "bunker volume clone data data-before-upgrade",
  flags: { live: LIVE_FLAG },
  words: { min: 2, max: 2 },
  async run({ flags, words: [name = "", target = ""], session }) {
    const { Name } = await cloneVolume(session.daemon, name, { target, isLive: flags.bool("live") });
    session.say(Name);
    return 0;
  },
});

/** `bunker volume restore`. */
export const volumeRestore = defineCli({
  synopsis: "VOLUME SNAPSHOT",
  about: "Make a volume's content what it was when a snapshot was taken",
  example: "bunker volume restore data before-upgrade",
  flags: {},
  words: { min: 2, max: 2 },
  async run({ words: [name = "", snapshot = ""], session }) {
    await restoreVolume(session.daemon, name, snapshot);
    session.say(name);
    return 0;
  },
});
