import { Fault, sentenceOf } from "#errors";
import { configFolder, replace } from "../config-file.ts";
import { fs } from "../lazy-fs.ts";
import { compareNatural } from "../output/natural.ts";

/** The context that is no file: what flags and environment say. */
export const DEFAULT_CONTEXT = "default";
/** The endpoint of a context that leads to a daemon; docker knew others. */
export const DAEMON_ENDPOINT = "docker";

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$/;
/** More than anybody's context, in bytes. */
const LIMIT = 1 << 20;
/** Names of files and endpoints, which become parts of paths. */
const PLAIN_NAME = /^[a-zA-Z0-9][\w.-]{0,100}$/;

export interface Endpoint {
  readonly Host?: string;
  readonly SkipTLSVerify?: boolean;
}

export interface Context {
  readonly Name: string;
  readonly Metadata: { readonly Description?: string; readonly [key: string]: unknown };
  readonly Endpoints: Readonly<Record<string, Endpoint>>;
}

/** By endpoint and file: `{ docker: { "ca.pem": … } }`. */
export type TlsMaterial = Readonly<Record<string, Readonly<Record<string, Uint8Array>>>>;

/** A context's way to its daemon. */
export interface AskedEndpoint {
  readonly endpoint: Endpoint;
  readonly tls: TlsMaterial;
}

/**
 * Docker's own store of contexts, so that what docker wrote is known here and the other way round:
 * `contexts/meta/<sha256 of the name>/meta.json`, and `contexts/tls/<the same>/<endpoint>/*.pem` for the owner alone.
 * Source: docker docs, "Docker contexts"; docker's files.
 */
export class ContextStore {
  readonly #folder: string;

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#folder = `${configFolder(env)}/contexts`;
  }

  metaFolder(name: string): string {
    return `${this.#folder}/meta/${Bun.SHA256.hash(name, "hex")}`;
  }

  tlsFolder(name: string): string {
    return `${this.#folder}/tls/${Bun.SHA256.hash(name, "hex")}`;
  }

  /** As people count. A folder whose file cannot be read is left out: `read` tells what is wrong with it. */
  names(): string[] {
    const names = entries(`${this.#folder}/meta`).flatMap((folder) => {
      try {
        return [parsed(`${this.#folder}/meta/${folder}/meta.json`).Name];
      } catch {
        return [];
      }
    });
    return names.sort(compareNatural);
  }

  has(name: string): boolean {
    return fs().existsSync(`${this.metaFolder(name)}/meta.json`);
  }

  /** @throws Fault `not_found`, `invalid` */
  read(name: string): Context {
    const path = `${this.metaFolder(name)}/meta.json`;
    try {
      return parsed(path);
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT")
        throw new Fault(
          "not_found",
          `context ${JSON.stringify(name)}: context not found: open ${path}: no such file or directory`,
        );
      throw new Fault("invalid", `Cannot read the context ${JSON.stringify(name)}: ${sentenceOf(cause)}`, {
        cause,
      });
    }
  }

  /** Names of the files of each endpoint that has any. */
  tlsFiles(name: string): Readonly<Record<string, readonly string[]>> {
    const folder = this.tlsFolder(name);
    const found = entries(folder).map((endpoint) => [endpoint, entries(`${folder}/${endpoint}`)] as const);
    return Object.fromEntries(found.filter(([, files]) => files.length > 0));
  }

  tls(name: string): TlsMaterial {
    const read = (path: string) => new Uint8Array(fs().readFileSync(path));
    return Object.fromEntries(
      Object.entries(this.tlsFiles(name)).map(([endpoint, files]) => [
        endpoint,
        Object.fromEntries(
          files.map((file) => [file, read(`${this.tlsFolder(name)}/${endpoint}/${file}`)] as const),
        ),
      ]),
    );
  }

  /** The certificates come first: a context that can be seen has what it needs. Without `tls` they stay as they are. */
  write(context: Context, tls?: TlsMaterial): void {
    try {
      if (tls !== undefined) this.#writeTls(context.Name, tls);
      const folder = this.metaFolder(context.Name);
      fs().mkdirSync(folder, { recursive: true, mode: 0o755 });
      replace(`${folder}/meta.json`, JSON.stringify(context), 0o644);
    } catch (cause) {
      const name = JSON.stringify(context.Name);
      throw new Fault("internal", `Cannot write the context ${name}: ${sentenceOf(cause)}`, { cause });
    }
  }

  #writeTls(name: string, tls: TlsMaterial): void {
    const folder = this.tlsFolder(name);
    const side = `${folder}.${crypto.randomUUID()}.new`;
    try {
      for (const [endpoint, files] of Object.entries(tls)) {
        fs().mkdirSync(`${side}/${endpoint}`, { recursive: true, mode: 0o700 });
        for (const [file, content] of Object.entries(files))
          fs().writeFileSync(`${side}/${endpoint}/${file}`, content, { mode: 0o600 });
      }
      fs().rmSync(folder, { recursive: true, force: true });
      if (fs().existsSync(side)) fs().renameSync(side, folder);
    } finally {
      fs().rmSync(side, { recursive: true, force: true });
    }
  }

  /** @throws Fault `not_found` */
  remove(name: string): void {
    if (!this.has(name)) throw new Fault("not_found", `context ${JSON.stringify(name)} does not exist`);
    fs().rmSync(this.metaFolder(name), { recursive: true, force: true });
    fs().rmSync(this.tlsFolder(name), { recursive: true, force: true });
  }
}

/** @throws Fault `not_found`, `invalid` */
export function storedEndpoint(store: ContextStore, name: string): AskedEndpoint {
  return { endpoint: store.read(name).Endpoints[DAEMON_ENDPOINT] ?? {}, tls: store.tls(name) };
}

/** @throws Fault `invalid` for what cannot be the name of a new context */
export function checkContextName(name: string): void {
  if (name === "") throw new Fault("invalid", "context name cannot be empty");
  if (name === DEFAULT_CONTEXT) throw new Fault("invalid", '"default" is a reserved context name');
  if (!NAME.test(name))
    throw new Fault(
      "invalid",
      `context name ${JSON.stringify(name)} is invalid, names are validated against regexp "${NAME.source}"`,
    );
}

/** Whether the text may become the name of a file or an endpoint. */
export const isPlainName = (text: string) => PLAIN_NAME.test(text);

/** @throws Error */
export function parseContext(text: string): Context {
  const value: unknown = JSON.parse(text);
  const { Name, Metadata = {}, Endpoints } = (isRecord(value) ? value : {}) as Partial<Context>;
  const metadata = isRecord(Metadata) ? Metadata : {};
  const isRead =
    typeof Name === "string" &&
    isTextOrAbsent(metadata.Description) &&
    isRecord(Endpoints) &&
    Object.values(Endpoints).every((endpoint) => isRecord(endpoint) && isTextOrAbsent(endpoint.Host));
  if (!isRead) throw new Error("it is no context");
  return { Name, Metadata: metadata, Endpoints };
}

function parsed(path: string): Context {
  if (fs().statSync(path).size > LIMIT) throw new Error(`it is larger than ${LIMIT} bytes`);
  return parseContext(fs().readFileSync(path, "utf8"));
}

/** Plain names in a folder, in order; none where there is no folder. */
function entries(folder: string): string[] {
  try {
    return fs().readdirSync(folder).filter(isPlainName).sort();
  } catch {
    return [];
  }
}

const isTextOrAbsent = (value: unknown) => value === undefined || typeof value === "string";
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
