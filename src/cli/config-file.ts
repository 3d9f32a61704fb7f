import { Fault, sentenceOf } from "#errors";
import { fs, readSmallFile } from "./lazy-fs.ts";

type Env = Readonly<Record<string, string | undefined>>;
type Settings = Readonly<Record<string, unknown>>;

/** What the client's configuration says of one registry. Source: docker docs, "docker login", "Credential stores". */
export interface StoredAuth {
  /** base64 of `user:password`. */
  readonly auth?: string;
  readonly identitytoken?: string;
}

/** More than anybody's configuration, in bytes. */
const LIMIT = 4 * 1024 * 1024;

/** The client's configuration: docker's own file, so that who has logged in there has logged in here. */
export class ConfigFile {
  readonly path: string;
  readonly #settings: Settings;

  private constructor(path: string, settings: Settings) {
    this.path = path;
    this.#settings = settings;
  }

  /** Of BUNKER_CONFIG, DOCKER_CONFIG or the home folder. Throws `invalid` for what cannot be understood. */
  static read(env: Env): ConfigFile {
    const path = `${configFolder(env)}/config.json`;
    try {
      const text = readSmallFile(path, LIMIT) ?? "";
      const settings: unknown = JSON.parse(text.trim() || "{}");
      if (!isObject(settings)) throw new Error("it is no JSON object");
      return new ConfigFile(path, settings);
    } catch (cause) {
      // A parser's words would quote the file, and the file holds secrets.
      const why = cause instanceof SyntaxError ? "it is not JSON" : sentenceOf(cause);
      throw new Fault("invalid", `Cannot read the client's configuration ${path}: ${why}`);
    }
  }

  /** One with nothing in it, for when the real one cannot be understood. */
  static empty(env: Env): ConfigFile {
    return new ConfigFile(`${configFolder(env)}/config.json`, {});
  }

  /** A setting that is a text; empty when it is not there, or none. */
  text(key: string): string {
    const value = this.#settings[key];
    return typeof value === "string" ? value : "";
  }

  /** A setting that is a list of texts; empty when it is not there, or none. */
  list(key: string): readonly string[] {
    const value = this.#settings[key];
    return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
  }

  /** A setting that is an object; empty when it is not there, or none. */
  table(key: string): Settings {
    const value = this.#settings[key];
    return isObject(value) ? value : {};
  }

  /** Writes the file with this setting, or without it. All else in it stays. */
  set(key: string, value: string | undefined): void {
    this.#write({ ...this.#settings, [key]: value });
  }

  /** Name of the helper that keeps this registry's credentials; undefined when the file does. */
  helperFor(registry: string): string | undefined {
    const { credHelpers, credsStore } = this.#settings;
    const own =
      isObject(credHelpers) && Object.hasOwn(credHelpers, registry) ? credHelpers[registry] : undefined;
    const name = typeof own === "string" ? own : credsStore;
    return typeof name === "string" && name !== "" ? name : undefined;
  }

  /** By the registry's name, or an address of it. */
  stored(registry: string): StoredAuth | undefined {
    const key = this.#keyOf(registry);
    const found = key === undefined ? undefined : this.#auths[key];
    if (!isObject(found)) return undefined;
    const { auth, identitytoken } = found;
    return {
      ...(typeof auth === "string" && { auth }),
      ...(typeof identitytoken === "string" && { identitytoken }),
    };
  }

  /** Writes the file with this entry, or without one: whole, for the owner alone. All else in it stays. */
  store(registry: string, auth: StoredAuth | undefined): void {
    const auths: Record<string, unknown> = { ...this.#auths };
    const key = this.#keyOf(registry);
    if (key !== undefined) delete auths[key];
    if (auth !== undefined) auths[registry] = auth;
    this.#write({ ...this.#settings, auths });
  }

  #write(settings: Settings): void {
    const text = `${JSON.stringify(settings, undefined, "\t")}\n`;
    try {
      fs().mkdirSync(this.path.slice(0, this.path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
      replace(target(this.path), text);
    } catch (cause) {
      throw new Fault(
        "internal",
        `Cannot write the client's configuration ${this.path}: ${sentenceOf(cause)}`,
        {
          cause,
        },
      );
    }
  }

  get #auths(): Settings {
    return isObject(this.#settings.auths) ? this.#settings.auths : {};
  }

  #keyOf(registry: string): string | undefined {
    if (Object.hasOwn(this.#auths, registry)) return registry;
    return Object.keys(this.#auths).find((key) => hostOf(key) === hostOf(registry));
  }
}

/** Where the client's configuration lies, contexts and plugins included. */
export function configFolder(env: Env): string {
  return env.BUNKER_CONFIG || env.DOCKER_CONFIG || `${env.HOME || "/root"}/.docker`;
}

/** The file behind a link: links stay what they are. */
function target(path: string): string {
  try {
    return fs().realpathSync(path);
  } catch {
    return path;
  }
}

/** Whole or not at all, for the owner alone unless another mode is asked for. */
export function replace(path: string, content: string | Uint8Array, mode = 0o600): void {
  const side = `${path}.${crypto.randomUUID()}.new`;
  try {
    const descriptor = fs().openSync(side, "wx", mode);
    try {
      fs().writeFileSync(descriptor, content);
      fs().fsyncSync(descriptor);
    } finally {
      fs().closeSync(descriptor);
    }
    fs().renameSync(side, path);
  } catch (thrown) {
    fs().rmSync(side, { force: true });
    throw thrown;
  }
}

function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, "").split("/")[0] ?? "";
}

function isObject(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
