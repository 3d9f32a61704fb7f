import type { TlsKeys } from "#client";
import { Fault, sentenceOf } from "#errors";
import { configFolder } from "./config-file.ts";
import type { Flags } from "./flags.ts";
import { fs } from "./lazy-fs.ts";

/** The flags that come before the command. */
export const GLOBAL_FLAGS = {
  config: { kind: "text", hint: "string", about: "Location of client config files" },
  context: {
    kind: "text",
    short: "c",
    hint: "string",
    about:
      'Name of the context to use to connect to the daemon (overrides DOCKER_HOST and what "context use" set)',
  },
  host: { kind: "list", short: "H", about: "Daemon socket to connect to" },
  debug: { kind: "bool", short: "D", about: "Show where an unexpected error came from" },
  "log-level": {
    kind: "text",
    short: "l",
    hint: "string",
    about: "Accepted and ignored: the client keeps no log",
  },
  tls: { kind: "bool", about: "Use TLS; implied by --tlsverify" },
  tlscacert: { kind: "text", hint: "string", about: "Trust certs signed only by this CA" },
  tlscert: { kind: "text", hint: "string", about: "Path to TLS certificate file" },
  tlskey: { kind: "text", hint: "string", about: "Path to TLS key file" },
  tlsverify: { kind: "bool", about: "Use TLS and verify the remote" },
  version: { kind: "bool", short: "v", about: "Print version information and quit" },
} as const;

type Env = Readonly<Record<string, string | undefined>>;

/** Certificates, where flags or environment ask for TLS. Source: Docker's DOCKER_TLS, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH. */
export function tlsFromFlags(flags: Flags<typeof GLOBAL_FLAGS>, env: Env): TlsKeys | undefined {
  const isVerified = flags.has("tlsverify") ? flags.bool("tlsverify") : Boolean(env.DOCKER_TLS_VERIFY);
  // Naming the flag at all turns TLS on: set to false, the daemon's certificate is not looked at.
  const usesTls =
    isVerified || flags.has("tlsverify") || (flags.has("tls") ? flags.bool("tls") : Boolean(env.DOCKER_TLS));
  return usesTls ? tlsKeys(flags, { env, isVerified }) : undefined;
}

function tlsKeys(
  flags: Flags<typeof GLOBAL_FLAGS>,
  { env, isVerified }: { env: Env; isVerified: boolean },
): TlsKeys {
  const folder = env.DOCKER_CERT_PATH || configFolder(env);
  const [ca, cert, key] = [
    pem(flags.text("tlscacert"), `${folder}/ca.pem`),
    pem(flags.text("tlscert"), `${folder}/cert.pem`),
    pem(flags.text("tlskey"), `${folder}/key.pem`),
  ];
  if (isVerified && ca === undefined)
    throw new Fault(
      "invalid",
      `Cannot verify the daemon: ${folder}/ca.pem is not there; name the CA's certificate with --tlscacert`,
    );
  if ((cert === undefined) !== (key === undefined))
    throw new Fault(
      "invalid",
      "Cannot use TLS: a certificate and its key belong together, and one is missing",
    );
  return { isVerified, ...(ca === undefined ? {} : { ca }), ...(cert && key ? { cert, key } : {}) };
}

function pem(asked: string, usual: string): string | undefined {
  if (asked === "" && !fs().existsSync(usual)) return undefined;
  try {
    return fs().readFileSync(asked || usual, "utf8");
  } catch (cause) {
    throw new Fault("invalid", `Cannot read the TLS file ${asked || usual}: ${sentenceOf(cause)}`, { cause });
  }
}
