import { Fault, sentenceOf } from "#errors";
import { type Context, isPlainName, parseContext, type TlsMaterial } from "./store.ts";

/** More than anybody's exported context, in bytes. */
export const LARGEST_CONTEXT = 10 << 20;
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
  if (bytes.length > LARGEST_CONTEXT)
    throw new Fault("invalid", `Cannot import the context: it is larger than ${LARGEST_CONTEXT} bytes`);
  try {
    const files = await filesIn(ended(bytes));
    const meta = files.get(META);
    if (meta === undefined) throw new Error(`it holds no ${META}`);
    files.delete(META);
    return { context: parseContext(new TextDecoder().decode(meta)), tls: material(files) };
  } catch (cause) {
    throw new Fault(
      "invalid",
      `Cannot import the context: the file is no exported context (a tar): ${sentenceOf(cause)}`,
      { cause },
    );
  }
}

/** Plain files alone, neither packed nor with holes: so they can be no larger than the archive. */
async function filesIn(bytes: Uint8Array): Promise<Map<string, Uint8Array>> {
  const { TarReader } = await import("#archive");
  const files = new Map<string, Uint8Array>();
  let pieces: Uint8Array[] = [];
  let path = "";
  const reader = new TarReader({
    begin(entry) {
      const isPlain = entry.type === "file" && entry.segments === undefined;
      if (!isPlain && entry.type !== "directory")
        throw new Error(`${JSON.stringify(entry.path)} is no plain file`);
      path = isPlain ? entry.path : "";
    },
    data: (piece) => void pieces.push(Uint8Array.from(piece)),
    finish() {
      if (path !== "") files.set(path, new Uint8Array(Buffer.concat(pieces)));
      pieces = [];
    },
  });
  reader.push(bytes);
  reader.end();
  return files;
}

/** Docker's own exports end with their last byte, which strict readers take for a truncated archive. */
function ended(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array((Math.ceil(bytes.length / BLOCK) + 2) * BLOCK);
  whole.set(bytes);
  return whole;
}

function material(files: ReadonlyMap<string, Uint8Array>): TlsMaterial {
  const found: Record<string, Record<string, Uint8Array>> = {};
  for (const [path, content] of files) {
    const [folder = "", endpoint = "", name = "", ...more] = path.split("/");
    if (folder !== "tls" || !isPlainName(endpoint) || !isPlainName(name) || more.length > 0)
      throw new Error(`it holds ${JSON.stringify(path)}, which belongs to no context`);
    const own = Object.hasOwn(found, endpoint) ? found[endpoint] : undefined;
    found[endpoint] = Object.assign(own ?? {}, { [name]: content });
  }
  return found;
}
