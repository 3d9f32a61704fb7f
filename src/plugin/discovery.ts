import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { Fault, sentenceOf } from "#errors";

/** A plugin's name becomes part of paths: nothing that leads elsewhere. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.:@-]{0,127}$/;
/** Of a file that says where a plugin is. */
const MAX_SPEC_BYTES = 64 * 1024;
/** How many are looked at in one folder. */
const MAX_ENTRIES = 1000;

/** Where plugins are looked for, the first folder first. Source: Docker, "Plugin discovery". */
export interface PluginFolders {
  /** `NAME.sock` and `NAME/NAME.sock`. */
  readonly sockets: readonly string[];
  /** `NAME.spec`, `NAME.json`, and the same in `NAME/`. */
  readonly specs: readonly string[];
}

/** PEM files by their paths. */
export interface PluginTls {
  readonly isUnverified: boolean;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** Where a plugin listens. */
export type PluginAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly tls?: PluginTls };

/** Source: Docker, "Plugin discovery", JSON specification. */
const JsonSpec = z.object({
  Name: z.string().optional(),
  Addr: z.string(),
  TLSConfig: z
    .object({
      InsecureSkipVerify: z.boolean().default(false),
      CAFile: z.string().default(""),
      CertFile: z.string().default(""),
      KeyFile: z.string().default(""),
    })
    .nullish(),
});

export function isPluginName(name: string): boolean {
  return NAME.test(name);
}

/** A socket goes before a file that tells of one. Undefined when there is none by that name; throws `invalid`. */
export async function findPlugin(folders: PluginFolders, name: string): Promise<PluginAddress | undefined> {
  if (!isPluginName(name)) return undefined;
  for (const folder of folders.sockets)
    for (const path of [join(folder, `${name}.sock`), join(folder, name, `${name}.sock`)])
      if (await isSocket(path)) return { kind: "unix", path };
  for (const folder of folders.specs)
    for (const place of [folder, join(folder, name)])
      for (const ending of ["spec", "json"]) {
        const path = join(place, `${name}.${ending}`);
        const text = await textOf(path);
        if (text !== undefined) return ending === "spec" ? parseAddress(text, path) : parseJson(text, path);
      }
  return undefined;
}

/** All names that there is something of. */
export async function listPlugins({ sockets, specs }: PluginFolders): Promise<readonly string[]> {
  const names = await Promise.all([
    ...sockets.map((folder) => namesIn(folder, [".sock"])),
    ...specs.map((folder) => namesIn(folder, [".spec", ".json"])),
  ]);
  return [...new Set(names.flat())].sort();
}

async function namesIn(folder: string, endings: readonly string[]): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found: string[] = [];
  for (const entry of entries.slice(0, MAX_ENTRIES)) {
    const { name } = entry;
    const ending = endings.find((one) => name.endsWith(one));
    if (!entry.isDirectory() && ending !== undefined) found.push(name.slice(0, -ending.length));
    else if (entry.isDirectory()) {
      const inside: string[] = await readdir(join(folder, name)).catch(() => []);
      if (endings.some((one) => inside.includes(`${name}${one}`))) found.push(name);
    }
  }
  return found.filter(isPluginName);
}

async function isSocket(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isSocket(),
    () => false,
  );
}

async function textOf(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isFile()) return undefined;
  if (found.size > MAX_SPEC_BYTES)
    throw new Fault("invalid", `Cannot read ${path}: it is longer than ${MAX_SPEC_BYTES} bytes`);
  return await readFile(path, "utf8");
}

/** `unix:///run/it.sock`, `tcp://host:port`; http and https are tcp. Throws `invalid`. */
export function parseAddress(text: string, path: string): PluginAddress {
  const written = text.trim();
  const url = URL.canParse(written) ? new URL(written) : undefined;
  if (url?.protocol === "unix:" && url.host === "" && url.pathname.startsWith("/"))
    return { kind: "unix", path: decodeURIComponent(url.pathname) };
  if (url !== undefined && ["tcp:", "http:", "https:"].includes(url.protocol) && url.host !== "") {
    const host = url.port === "" && url.protocol === "tcp:" ? `${url.host}:80` : url.host;
    return url.protocol === "https:"
      ? { kind: "tcp", host, tls: { isUnverified: false } }
      : { kind: "tcp", host };
  }
  throw new Fault(
    "invalid",
    `Cannot use the plugin of ${path}: "${written.slice(0, 200)}" is no address; write unix:///PATH or tcp://HOST:PORT`,
  );
}

function parseJson(text: string, path: string): PluginAddress {
  let spec: z.infer<typeof JsonSpec>;
  try {
    spec = JsonSpec.parse(JSON.parse(text));
  } catch (cause) {
    const why =
      cause instanceof z.ZodError ? (cause.issues[0]?.message ?? "it is no plugin's") : sentenceOf(cause);
    throw new Fault("invalid", `Cannot use the plugin of ${path}: ${why}`, { cause });
  }
  const address = parseAddress(spec.Addr, path);
  const given = spec.TLSConfig;
  if (address.kind === "unix" || given === undefined || given === null) return address;
  const { InsecureSkipVerify: isUnverified, CAFile: caFile, CertFile: certFile, KeyFile: keyFile } = given;
  if ((certFile === "") !== (keyFile === ""))
    throw new Fault("invalid", `Cannot use the plugin of ${path}: CertFile and KeyFile go together`);
  const tls = {
    isUnverified,
    ...(caFile !== "" && { caFile }),
    ...(certFile !== "" && { certFile, keyFile }),
  };
  return { ...address, tls };
}

/** As it is written in a specification. */
export function showAddress(address: PluginAddress): string {
  return address.kind === "unix" ? `unix://${address.path}` : `tcp://${address.host}`;
}
