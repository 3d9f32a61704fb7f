import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { isIP } from "node:net";
import { parseArgs } from "node:util";
import { didYouMean, Fault, nearest, sentenceOf } from "#errors";
import { createLog, type Log, lockFile } from "#host";
import {
  collectGarbage,
  Htpasswd,
  Origin,
  openRegistry,
  openRegistryStore,
  type RegistryStore,
  type ServeOptions,
  serveRegistry,
  UPLOAD_LIMITS,
} from "#registry";

const DEFAULT_LISTEN = "127.0.0.1:5000";
const DEFAULT_DATA = "/var/lib/bunker-registry";
/** What a push counted on stays so long, whatever garbage is collected meanwhile. */
const GRACE_MILLISECONDS = 3600 * 1000;
const MILLISECONDS_PER_HOUR = 3600 * 1000;

const MIB = 1024 * 1024;

const SERVE_FLAGS = {
  listen: { type: "string", default: DEFAULT_LISTEN },
  data: { type: "string", default: DEFAULT_DATA },
  "tls-cert": { type: "string" },
  "tls-key": { type: "string" },
  htpasswd: { type: "string" },
  delete: { type: "boolean", default: false },
  proxy: { type: "string" },
  share: { type: "string", multiple: true, default: [] as string[] },
  "gc-interval": { type: "string", default: "24" },
  "max-uploads": { type: "string", default: String(UPLOAD_LIMITS.mostAtOnce) },
  "keep-free": { type: "string", default: String(UPLOAD_LIMITS.reserveBytes / MIB) },
  "insecure-http": { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

const GC_FLAGS = {
  data: { type: "string", default: DEFAULT_DATA },
  "dry-run": { type: "boolean", default: false },
  untagged: { type: "boolean", default: false },
  grace: { type: "string", default: "60" },
  help: { type: "boolean", short: "h", default: false },
} as const;

const HELP = `Usage:  bunker registry serve [OPTIONS]
        bunker registry gc [OPTIONS]

A private registry: any client of the OCI distribution protocol can push to it and pull from it.

Options of serve:
  --listen ADDRESS:PORT   Where to listen (default ${DEFAULT_LISTEN})
  --data FOLDER           Where everything is kept (default ${DEFAULT_DATA})
  --tls-cert FILE         Certificate, with --tls-key: then it speaks https
  --tls-key FILE          Key of the certificate
  --htpasswd FILE         Users and their passwords, as made by htpasswd -B
  --delete                Manifests, tags and blobs may be deleted
  --proxy URL             Be a cache of that registry: what is missing is fetched there, nothing can be pushed
  --share FOLDER          Data root of a bunker daemon on this host: what it has need not be sent (repeatable)
  --gc-interval HOURS     How often what no manifest needs is removed; 0 is never (default 24)
  --max-uploads COUNT     So many uploads may be written at a time (default ${UPLOAD_LIMITS.mostAtOnce})
  --keep-free MEBIBYTES   So much of the disk no upload may take (default ${UPLOAD_LIMITS.reserveBytes / MIB})
  --insecure-http         Let passwords travel without TLS beyond this host

Options of gc (it may run while the registry serves):
  --data FOLDER           As above
  --dry-run               Only say what would go
  --untagged              Also manifests that no tag leads to
  --grace MINUTES         What was used since stays (default 60)

Example:
  bunker registry serve --listen 127.0.0.1:5000 --data /srv/registry --delete
`;

/** `bunker registry serve` and `bunker registry gc`. Throws with a sentence when it cannot begin. */
export async function runRegistry(words: readonly string[]): Promise<void> {
  const [verb = "", ...rest] = words;
  if (["", "help", "-h", "--help"].includes(verb)) return void process.stdout.write(HELP);
  if (verb === "serve") return serve(rest);
  if (verb === "gc") return collect(rest);
  throw new Fault(
    "invalid",
    `'${verb}' is not a bunker registry command; there are serve and gc${didYouMean(verb, ["serve", "gc"])}`,
  );
}

async function serve(words: readonly string[]): Promise<void> {
  const flags = read(words, SERVE_FLAGS);
  if (flags.help) return void process.stdout.write(HELP);
  const log = createLog("info");
  const { hostname, port } = parseListen(flags.listen);
  const tls = readTls(flags["tls-cert"], flags["tls-key"]);
  if (flags.htpasswd !== undefined && tls === undefined && !isLoopback(hostname) && !flags["insecure-http"])
    throw new Fault(
      "invalid",
      `Cannot listen on ${flags.listen} with --htpasswd and without TLS: passwords would be read by others; give --tls-cert and --tls-key, or --insecure-http`,
    );
  const hours = wholeNumber("gc-interval", flags["gc-interval"]);
  process.on("unhandledRejection", (thrown) => log("error", `Nobody handled: ${sentenceOf(thrown)}`));
  await using undo = new AsyncDisposableStack();
  mkdirSync(flags.data, { recursive: true, mode: 0o700 });
  undo.use(lockFile(`${flags.data}/lock`, `the registry's folder ${flags.data}`));
  const shared = flags.share.map((root) => `${root}/content`);
  const store = await openRegistryStore(flags.data, {
    shared,
    limits: {
      mostAtOnce: wholeNumber("max-uploads", flags["max-uploads"]),
      reserveBytes: wholeNumber("keep-free", flags["keep-free"]) * MIB,
    },
  });
  const fetching = `${flags.data}/fetching`;
  // What an earlier process was killed over; the lock says that there is none.
  rmSync(fetching, { recursive: true, force: true });
  const complain = (sentence: string, cause: unknown) => log("error", `${sentence}: ${sentenceOf(cause)}`);
  const server = undo.use(
    serveRegistry({
      hostname,
      port,
      store,
      mayDelete: flags.delete,
      complain,
      ...(tls && { tls }),
      ...(flags.htpasswd !== undefined && { users: new Htpasswd(flags.htpasswd) }),
      ...(flags.proxy !== undefined && {
        origin: originOf(flags.proxy, { store, folder: fetching, complain }),
      }),
    }),
  );
  log("info", `Listening on ${server.url}, data in ${flags.data}`);
  if (hours > 0) undo.use(collectOften(store, hours * MILLISECONDS_PER_HOUR, log));
  log("info", `Stopping after ${await nextSignal()}`);
}

async function collect(words: readonly string[]): Promise<void> {
  const flags = read(words, GC_FLAGS);
  if (flags.help) return void process.stdout.write(HELP);
  const store = await openRegistryStore(flags.data);
  const { blobs, manifests } = await collectGarbage(store, {
    grace: wholeNumber("grace", flags.grace) * 60 * 1000,
    removesUntagged: flags.untagged,
    isTrial: flags["dry-run"],
  });
  for (const { name, digest } of manifests) process.stdout.write(`manifest ${name}@${digest}\n`);
  for (const { digest, size } of blobs) process.stdout.write(`blob ${digest} ${size} bytes\n`);
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
  process.stdout.write(
    `${flags["dry-run"] ? "Would free" : "Freed"} ${bytes} bytes in ${blobs.length} blobs\n`,
  );
}

function collectOften(store: RegistryStore, interval: number, log: Log): Disposable {
  const options = { grace: GRACE_MILLISECONDS, removesUntagged: false, isTrial: false };
  const timer = setInterval(() => {
    collectGarbage(store, options).then(
      ({ blobs }) => log("info", `Removed ${blobs.length} blobs that no manifest needs`),
      (thrown: unknown) => log("error", `Garbage could not be collected: ${sentenceOf(thrown)}`),
    );
  }, interval);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function originOf(
  text: string,
  means: Pick<ServeOptions, "store" | "complain"> & { readonly folder: string },
): Origin {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.pathname !== "/" || url.username !== "")
    throw new Fault("invalid", `Cannot be a cache of "${text.slice(0, 200)}": expected https://host[:port]`);
  const isHub = ["registry-1.docker.io", "docker.io", "index.docker.io"].includes(url.host);
  const insecure = url.protocol === "http:" ? [url.host] : [];
  return new Origin({
    ...means,
    domain: isHub ? "docker.io" : url.host,
    client: () => openRegistry({ mirrors: [], insecure }, undefined),
  });
}

function read<Options extends NonNullable<Parameters<typeof parseArgs>[0]>["options"] & object>(
  words: readonly string[],
  options: Options,
) {
  try {
    return parseArgs({ args: [...words], options, strict: true, allowPositionals: false }).values;
  } catch (cause) {
    const asked = /^Unknown option '--([\w-]+)'/.exec(sentenceOf(cause))?.[1] ?? "";
    const found = nearest(asked, Object.keys(options));
    const offer = found === undefined ? "" : `; did you mean --${found}?`;
    throw new Fault("invalid", `${sentenceOf(cause)}; see 'bunker registry --help'${offer}`, { cause });
  }
}

function parseListen(text: string): { readonly hostname: string; readonly port: number } {
  const [, bracketed, plain = "", port = ""] = /^(?:\[([0-9a-fA-F:]+)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const hostname = bracketed ?? (plain || "0.0.0.0");
  if (port !== "" && Number(port) <= 65_535 && (isIP(hostname) !== 0 || hostname === "localhost"))
    return { hostname, port: Number(port) };
  throw new Fault("invalid", `Cannot listen on "${text}": expected ADDRESS:PORT, as ${DEFAULT_LISTEN}`);
}

const isLoopback = (hostname: string): boolean => /^(127\.|::1$|localhost$)/.test(hostname);

function readTls(cert: string | undefined, key: string | undefined): ServeOptions["tls"] {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined)
    throw new Fault("invalid", "Cannot use TLS: --tls-cert and --tls-key belong together");
  return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new Fault("invalid", `Cannot use --${name} ${text}: it must be a whole number`);
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  });
}
