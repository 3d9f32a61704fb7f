import { Fault, sentenceOf } from "#errors";
import { formatReference, type Reference } from "#oci";
import { fs } from "../lazy-fs.ts";
import type { Session } from "../session.ts";
import { Entry } from "./entry.ts";

/** Bytes: a manifest in base64 and beside it as it is. */
const LARGEST_FILE = 16 * 1024 * 1024;

/**
 * Lists that are being put together, in docker's own place and layout: `manifests/<list>/<image>` beside the client's
 * configuration, so that either client goes on with what the other began.
 */
export class ManifestStore {
  readonly #root: string;

  constructor({ config }: Pick<Session, "config">) {
    this.#root = `${config.path.slice(0, config.path.lastIndexOf("/"))}/manifests`;
  }

  /** In the order of their names; undefined where there is no such list. */
  list(list: Reference): readonly Entry[] | undefined {
    const folder = this.#folder(list);
    const names = missingIsUndefined(() => fs().readdirSync(folder));
    return names
      ?.sort()
      .map((name) => read(`${folder}/${name}`))
      .filter((entry) => entry !== undefined);
  }

  has(list: Reference): boolean {
    return fs().existsSync(this.#folder(list));
  }

  find(list: Reference, image: Reference): Entry | undefined {
    return read(`${this.#folder(list)}/${fileName(image)}`);
  }

  /** Whole or not at all. */
  save(list: Reference, image: Reference, entry: Entry): void {
    const side = `${this.#root}/.${crypto.randomUUID()}.new`;
    const folder = this.#folder(list);
    try {
      fs().mkdirSync(folder, { recursive: true, mode: 0o755 });
      fs().writeFileSync(side, JSON.stringify(entry), { mode: 0o644 });
      fs().renameSync(side, `${folder}/${fileName(image)}`);
    } catch (cause) {
      fs().rmSync(side, { force: true });
      throw new Fault(
        "internal",
        `Cannot keep ${formatReference(image)} in ${folder}: ${sentenceOf(cause)}`,
        {
          cause,
        },
      );
    }
  }

  remove(list: Reference): void {
    fs().rmSync(this.#folder(list), { recursive: true, force: true });
  }

  #folder(list: Reference): string {
    return `${this.#root}/${fileName(list)}`;
  }
}

/** No reference has a slash left then, or is a way up: each begins with its registry. */
function fileName(reference: Reference): string {
  return formatReference(reference).replaceAll(":", "-").replaceAll("/", "_");
}

function read(path: string): Entry | undefined {
  const size = missingIsUndefined(() => fs().statSync(path).size);
  if (size === undefined) return undefined;
  try {
    if (size > LARGEST_FILE) throw new Error(`it is larger than ${LARGEST_FILE} bytes`);
    return Entry.parse(JSON.parse(fs().readFileSync(path, "utf8")));
  } catch (cause) {
    const why =
      cause instanceof Error && cause.name === "ZodError" ? "it is no manifest's entry" : sentenceOf(cause);
    throw new Fault("invalid", `Cannot read ${path}: ${why}; 'manifest rm' forgets its list`, { cause });
  }
}

function missingIsUndefined<Value>(act: () => Value): Value | undefined {
  try {
    return act();
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code ?? "";
    if (["ENOENT", "ENOTDIR"].includes(code)) return undefined;
    throw new Fault("internal", `Cannot read what is kept of manifests: ${sentenceOf(thrown)}`, {
      cause: thrown,
    });
  }
}
