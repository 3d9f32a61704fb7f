import { readdir } from "node:fs/promises";
import { rootCertificates } from "node:tls";
import { Fault } from "#errors";

/** Where certificates lie that were meant for one registry. Source: Docker docs, "Verify repository client with certificates". */
export const CERTIFICATE_FOLDERS: readonly string[] = ["/etc/bunker/certs.d", "/etc/docker/certs.d"];

/** Where distributions keep the authorities that a host believes. Source: Go, crypto/x509, root_linux.go. */
const BUNDLES: readonly string[] = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];
/** Bytes: more than any bundle. */
const LARGEST_FILE = 16 * 1024 * 1024;

/** Whom a host's certificate may come from, and what is shown to it when it asks who we are. PEM. */
export interface Trust {
  readonly authorities: readonly string[];
  readonly certificate?: string;
  readonly key?: string;
  /** Whether an authority was named for this host alone: then nothing but TLS with its certificate will do. */
  readonly isBound: boolean;
}

/** Reads what is believed of hosts, each once. */
export class Certificates {
  readonly #folders: readonly string[];
  readonly #known = new Map<string, Promise<Trust>>();
  #system: Promise<readonly string[]> | undefined;

  /** Each with a folder a host, named as the registry is: `registry.example.org:5000`. */
  constructor(folders: readonly string[] = CERTIFICATE_FOLDERS) {
    this.#folders = folders;
  }

  /** Throws `invalid` for a certificate without its key, or a key without its certificate. */
  trust(host: string): Promise<Trust> {
    const known = this.#known.get(host) ?? this.#read(host);
    this.#known.set(host, known);
    return known;
  }

  async #read(host: string): Promise<Trust> {
    // A host may be called `..`, which in a path is another folder.
    const isFolder = !/^\.*$/.test(host) && !host.includes("/");
    const names = !isFolder ? [] : /:\d+$/.test(host) ? [host] : [host, `${host}:443`];
    const places = this.#folders.flatMap((folder) => names.map((name) => `${folder}/${name}`));
    const found = await Promise.all(places.map(readFolder));
    const own = found.flatMap(({ authorities }) => authorities);
    const pair = found.find(({ certificate }) => certificate !== undefined);
    this.#system ??= systemAuthorities();
    return {
      authorities: [...(await this.#system), ...own],
      isBound: own.length > 0,
      ...(pair?.certificate !== undefined && { certificate: pair.certificate }),
      ...(pair?.key !== undefined && { key: pair.key }),
    };
  }
}

type Own = Pick<Trust, "authorities" | "certificate" | "key">;

/** `*.crt` are authorities, `NAME.cert` with `NAME.key` is what we are; of several the first counts. */
async function readFolder(folder: string): Promise<Own> {
  const names = (await readdir(folder).catch(noneIfMissing)).sort();
  const authorities = await Promise.all(
    names.filter((name) => name.endsWith(".crt")).map((name) => readPem(`${folder}/${name}`)),
  );
  for (const name of names) requirePartner(folder, name, names);
  const certificate = names.find((name) => name.endsWith(".cert"));
  if (certificate === undefined) return { authorities };
  const key = certificate.replace(/cert$/, "key");
  return {
    authorities,
    certificate: await readPem(`${folder}/${certificate}`),
    key: await readPem(`${folder}/${key}`),
  };
}

/** In Docker's words. */
function requirePartner(folder: string, name: string, names: readonly string[]): void {
  const [, stem, kind] = /^(.+)\.(cert|key)$/.exec(name) ?? [];
  if (stem === undefined) return;
  const partner = `${stem}.${kind === "cert" ? "key" : "cert"}`;
  if (names.includes(partner)) return;
  throw new Fault(
    "invalid",
    kind === "cert"
      ? `missing key ${partner} for client certificate ${name} in ${folder}. CA certificates must use the extension .crt`
      : `missing client certificate ${partner} for key ${name} in ${folder}`,
  );
}

/** Those of the host, else those that came with this program. */
async function systemAuthorities(): Promise<readonly string[]> {
  const named = process.env.SSL_CERT_FILE;
  for (const path of named === undefined || named === "" ? BUNDLES : [named]) {
    const file = Bun.file(path);
    if (await file.exists()) return [await readPem(path)];
  }
  return rootCertificates;
}

async function readPem(path: string): Promise<string> {
  try {
    const file = Bun.file(path);
    if (file.size > LARGEST_FILE) throw new Error(`it is larger than ${LARGEST_FILE} bytes`);
    const text = await file.text();
    if (/-----BEGIN [A-Z0-9 ]+-----/.test(text)) return text;
    throw new Error("it holds no PEM");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Fault("invalid", `Cannot use the certificate ${path}: ${why}`, { cause });
  }
}

function noneIfMissing(thrown: NodeJS.ErrnoException): [] {
  if (thrown.code === "ENOENT" || thrown.code === "ENOTDIR") return [];
  throw new Fault("invalid", `Cannot read the certificates in ${thrown.path}: ${thrown.message}`, {
    cause: thrown,
  });
}
