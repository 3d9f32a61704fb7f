import type { TlsKeys, TransportOptions } from "#client";
import { Fault, sentenceOf } from "#errors";
import type { Flags } from "./flags.ts";

/** The flags that come before the command. */
export const GLOBAL_FLAGS = {
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

/** How to connect, from flags and environment. Source: Docker's DOCKER_TLS, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH, DOCKER_API_VERSION. */
export async function transportOptions(
  flags: Flags<typeof GLOBAL_FLAGS>,
  env: Env,
): Promise<TransportOptions> {
  const apiVersion = env.DOCKER_API_VERSION ? { apiVersion: env.DOCKER_API_VERSION } : {};
  const isVerified = flags.has("tlsverify") ? flags.bool("tlsverify") : Boolean(env.DOCKER_TLS_VERIFY);
  // Naming the flag at all turns TLS on: set to false, the daemon's certificate is not looked at.
  const usesTls =
    isVerified || flags.has("tlsverify") || (flags.has("tls") ? flags.bool("tls") : Boolean(env.DOCKER_TLS));
  if (!usesTls) return apiVersion;
  return { ...apiVersion, tls: await tlsKeys(flags, { env, isVerified }) };
}

async function tlsKeys(
  flags: Flags<typeof GLOBAL_FLAGS>,
  { env, isVerified }: { env: Env; isVerified: boolean },
): Promise<TlsKeys> {
  const folder = env.DOCKER_CERT_PATH || env.DOCKER_CONFIG || `${env.HOME || "/root"}/.docker`;
  const [ca, cert, key] = await Promise.all([
    pem(flags.text("tlscacert"), `${folder}/ca.pem`),
    pem(flags.text("tlscert"), `${folder}/cert.pem`),
    pem(flags.text("tlskey"), `${folder}/key.pem`),
  ]);
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

async function pem(asked: string, usual: string): Promise<string | undefined> {
  const file = Bun.file(asked || usual);
  if (asked === "" && !(await file.exists())) return undefined;
  try {
    return await file.text();
  } catch (cause) {
    throw new Fault("invalid", `Cannot read the TLS file ${asked || usual}: ${sentenceOf(cause)}`, { cause });
  }
}
