import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { Fault, sentenceOf } from "#errors";
import type { ServerKeys } from "#server";
import type { Config } from "./config.ts";

/** Where keys are looked for that no flag names, after the user's own `~/.docker`. */
const KEY_FOLDER = "/etc/bunker";

type TcpConfig = Pick<
  Config,
  "hosts" | "insecure-tcp" | "tls" | "tlsverify" | "tlscacert" | "tlscert" | "tlskey"
>;
type Env = Readonly<Record<string, string | undefined>>;

/** Naming `tlsverify` at all turns TLS on, as in Docker: set to false, any client is let in. */
const usesTls = ({ tls, tlsverify }: TcpConfig): boolean => tls || tlsverify !== undefined;

/**
 * What tcp:// is served with; undefined without TLS. Files that are not named are looked for as Docker does: in
 * DOCKER_CERT_PATH or `~/.docker`, else in /etc/bunker. Throws `invalid` for one that cannot be read.
 */
export function serverKeys(config: TcpConfig, env: Env): ServerKeys | undefined {
  if (!usesTls(config)) return undefined;
  const certPath = config.tlscert ?? usual("cert.pem", env);
  const keyPath = config.tlskey ?? usual("key.pem", env);
  const cert = pem(certPath, { flag: "--tlscert", parse: (text) => new X509Certificate(text) });
  const key = pem(keyPath, { flag: "--tlskey", parse: createPrivateKey });
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    throw new Fault("invalid", `Cannot serve TLS: ${keyPath} is not the key of the certificate ${certPath}`);
  if (config.tlsverify !== true) return { cert, key };
  const caPath = config.tlscacert ?? usual("ca.pem", env);
  return {
    cert,
    key,
    ca: pem(caPath, { flag: "--tlscacert", parse: (text) => new X509Certificate(text) }),
  };
}

function usual(name: string, env: Env): string {
  const own = `${env.DOCKER_CERT_PATH || `${env.HOME || "/root"}/.docker`}/${name}`;
  return existsSync(own) || env.DOCKER_CERT_PATH ? own : `${KEY_FOLDER}/${name}`;
}

function pem(
  path: string,
  { flag, parse }: { readonly flag: string; readonly parse: (text: string) => unknown },
): string {
  try {
    const text = readFileSync(path, "utf8");
    parse(text);
    return text;
  } catch (cause) {
    throw new Fault(
      "invalid",
      `Cannot serve TLS with ${path}: ${sentenceOf(cause)}; name another file with ${flag}`,
      { cause },
    );
  }
}

/** Whoever reaches the API is root on this host, and on loopback that is every user and many a program of theirs. */
export function refuseOpenTcp(config: TcpConfig): void {
  refuseOpen(
    config.hosts.find((host) => host.startsWith("tcp://")),
    config,
  );
}

/** `open`: an address that is reached by tcp, if there is one. */
export function refuseOpen(open: string | undefined, config: TcpConfig): void {
  if (open === undefined || config["insecure-tcp"] || config.tlsverify !== undefined) return;
  if (config.tls)
    throw new Fault(
      "denied",
      `Cannot listen on ${open}: with --tls alone any client is let in, and would be root on this host; add --tlsverify, or --tlsverify=false if that is meant`,
    );
  throw new Fault(
    "denied",
    `Cannot listen on ${open}: whoever connects would be root on this host (on loopback that is every user and every program here), and it has no TLS; use a unix socket or --tlsverify, or add --insecure-tcp if all who can connect are trusted`,
  );
}

/** What everybody should know who looks at this daemon: some of its doors are open. */
export function openTcpWarnings(config: TcpConfig): readonly string[] {
  if (config.tlsverify === true) return [];
  const lacks = usesTls(config) ? "a client certificate" : "encryption and a client certificate";
  return config.hosts
    .filter((host) => host.startsWith("tcp://"))
    .map((host) => `API is reached on ${host} without ${lacks}: whoever connects is root on this host`);
}
