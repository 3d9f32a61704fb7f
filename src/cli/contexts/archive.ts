import { Fault, sentenceOf } from "#errors";
import { type Context, isPlainName, parseContext, type TlsMaterial } from "./store.ts";

/** More than anybody's exported context, in bytes. */
const LIMIT = 10 << 20;
const BLOCK = 512;
const META = "meta.json";

/** A context as docker exports it: a tar of `meta.json` and `tls/<endpoint>/<file>`. */
export function packContext(context: Context, tls: TlsMaterial): Promise<Uint8Array> {
  const files = Object.entries(tls).flatMap(([endpoint, contents]) =>
    Object.entries(contents).map(([file, content]) => [`tls/${endpoint}/${file}`, content] as const),
  );
  return new Bun.Archive({ [META]: JSON.stringify(context), ...Object.fromEntries(files) }).bytes();
}

/** @throws Fault `invalid` for what is no such archive, or holds anything else */
export async function unpackContext(bytes: Uint8Array): Promise<{ context: Context; tls: TlsMaterial }> {
  if (bytes.length > LIMIT)
    throw new Fault("invalid", `Cannot import the context: it is larger than ${LIMIT} bytes`);
  try {
    const files = await new Bun.Archive(ended(bytes)).files();
    const meta = files.get(META);
    if (meta === undefined) throw new Error(`it holds no ${META}`);
    files.delete(META);
    return { context: parseContext(await meta.text()), tls: await material(files) };
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault(
      "invalid",
      `Cannot import the context: the file is no exported context (a tar): ${sentenceOf(cause)}`,
      { cause },
    );
  }
}

/** Docker's own exports end with their last byte, which strict readers take for a truncated archive. */
function ended(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array((Math.ceil(bytes.length / BLOCK) + 2) * BLOCK);
  whole.set(bytes);
  return whole;
}

async function material(files: ReadonlyMap<string, File>): Promise<TlsMaterial> {
  const found: Record<string, Record<string, Uint8Array>> = {};
  for (const [path, file] of files) {
    if (path.endsWith("/")) continue;
    const [folder = "", endpoint = "", name = "", ...more] = path.split("/");
    if (folder !== "tls" || !isPlainName(endpoint) || !isPlainName(name) || more.length > 0)
      throw new Error(`it holds ${JSON.stringify(path)}, which belongs to no context`);
    found[endpoint] = { ...found[endpoint], [name]: await file.bytes() };
  }
  return found;
}
