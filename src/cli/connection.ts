import { DEFAULT_HOST, type TransportOptions } from "#client";
import { Fault } from "#errors";
import type { ConfigFile } from "./config-file.ts";
import {
  type AskedEndpoint,
  ContextStore,
  DAEMON_ENDPOINT,
  DEFAULT_CONTEXT,
  storedEndpoint,
} from "./contexts/store.ts";
import type { Flags } from "./flags.ts";
import type { GLOBAL_FLAGS } from "./globals.ts";
import { tlsFromFlags } from "./globals.ts";
import { fs } from "./lazy-fs.ts";
import type { ProgramName } from "./program.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** What decides which daemon is meant. */
export interface Asked {
  readonly flags: Flags<typeof GLOBAL_FLAGS>;
  readonly env: Env;
  readonly program: ProgramName;
  readonly config: ConfigFile;
}

export interface Connection {
  readonly host: string;
  readonly options: TransportOptions;
}

/** Where docker's daemon listens when nobody says otherwise. */
const DOCKER_SOCKET = "/var/run/docker.sock";

/**
 * The context in force: `--context`, unless a host is named by `-H` or the environment; then DOCKER_CONTEXT, then what
 * `context use` wrote. Source: docker docs, "Docker contexts".
 */
export function currentContext({ flags, env, config }: Omit<Asked, "program">): string {
  const asked = flags.text("context");
  if (asked !== "") return asked;
  if (flags.has("host") || env.BUNKER_HOST || env.DOCKER_HOST) return DEFAULT_CONTEXT;
  return env.BUNKER_CONTEXT || env.DOCKER_CONTEXT || config.text("currentContext") || DEFAULT_CONTEXT;
}

/** @throws Fault `not_found` for a context that is not there, `invalid` for certificates that cannot be read */
export function connectionOf(asked: Asked): Connection {
  const { env, config } = asked;
  const apiVersion = env.DOCKER_API_VERSION ? { apiVersion: env.DOCKER_API_VERSION } : {};
  const headers = headersOf(config);
  const name = currentContext(asked);
  if (name !== DEFAULT_CONTEXT) {
    const { host, options } = contextConnection(name, env);
    return { host, options: { ...options, ...apiVersion, headers } };
  }
  const tls = tlsFromFlags(asked.flags, env);
  return { host: defaultHost(asked), options: { ...apiVersion, headers, ...(tls ? { tls } : {}) } };
}

function contextConnection(name: string, env: Env): Connection {
  let found: AskedEndpoint;
  try {
    found = storedEndpoint(new ContextStore(env), name);
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    throw new Fault(cause.kind, `unable to resolve docker endpoint: ${cause.message}`, { cause });
  }
  const { Host: host = "", SkipTLSVerify = false } = found.endpoint;
  if (host === "")
    throw new Fault("invalid", `Cannot use the context ${JSON.stringify(name)}: it names no daemon`);
  const files = found.tls[DAEMON_ENDPOINT] ?? {};
  const text = (file: string) =>
    files[file] === undefined ? undefined : new TextDecoder().decode(files[file]);
  const usesTls = Object.keys(files).length > 0 || SkipTLSVerify;
  if (!usesTls) return { host, options: {} };
  const [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map(text);
  const tls = {
    isVerified: !SkipTLSVerify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
  return { host, options: { tls } };
}

/** Without a context: `-H`, the environment, else the usual socket. Called docker, docker's, where there is one. */
export function defaultHost({ flags, env, program }: Omit<Asked, "config">): string {
  const asked = flags.list("host").at(-1);
  if (asked !== undefined) return asked;
  const fromEnvironment =
    program === "docker" ? env.DOCKER_HOST || env.BUNKER_HOST : env.BUNKER_HOST || env.DOCKER_HOST;
  if (fromEnvironment) return fromEnvironment;
  return program === "docker" && fs().existsSync(DOCKER_SOCKET) ? `unix://${DOCKER_SOCKET}` : DEFAULT_HOST;
}

/** HttpHeaders of the configuration, as far as they can be headers at all. */
function headersOf(config: ConfigFile): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(config.table("HttpHeaders")))
    if (typeof value === "string" && /^[\w!#$%&'*+.^`|~-]+$/.test(name) && !/[\r\n\0]/.test(value))
      headers[name] = value;
  return headers;
}
