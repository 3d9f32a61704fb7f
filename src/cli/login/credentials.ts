import { Fault } from "#errors";
import { DEFAULT_DOMAIN, parseNamed } from "#oci";
import { ConfigFile } from "../config-file.ts";
import type { Session } from "../session.ts";
import { askHelper } from "./helper.ts";

/** Docker Hub's name in configurations and key rings. */
export const HUB = "https://index.docker.io/v1/";
/** The user whose password is an identity token. Source: docker-credential-helpers, "Development". */
const TOKEN_USER = "<token>";

export interface Login {
  readonly username: string;
  readonly password: string;
  readonly identitytoken?: string;
}

/** The name by which a registry's credentials are kept. */
export function registryKey(server: string): string {
  const host = server.replace(/^https?:\/\//, "").split("/")[0] ?? "";
  const isHub = ["", DEFAULT_DOMAIN, "index.docker.io", "registry-1.docker.io"].includes(host);
  return isHub ? HUB : host;
}

export async function storedLogin(config: ConfigFile, registry: string): Promise<Login | undefined> {
  const helper = config.helperFor(registry);
  if (helper === undefined) return fromFile(config, registry);
  const text = await askHelper(helper, "get", registry);
  return text === undefined ? undefined : fromHelper(helper, text);
}

function fromFile(config: ConfigFile, registry: string): Login | undefined {
  const stored = config.stored(registry);
  if (stored === undefined) return undefined;
  const text = Buffer.from(stored.auth ?? "", "base64").toString();
  const colon = text.indexOf(":");
  const [username, password] = [text.slice(0, Math.max(colon, 0)), text.slice(colon + 1)];
  const { identitytoken } = stored;
  if (identitytoken) return { username, password: "", identitytoken };
  return colon < 0 ? undefined : { username, password: password.replace(/\0+$/, "") };
}

function fromHelper(helper: string, text: string): Login {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    told = undefined;
  }
  const { Username, Secret } = (told ?? {}) as { readonly Username?: unknown; readonly Secret?: unknown };
  if (typeof Username !== "string" || typeof Secret !== "string")
    throw new Fault(
      "unavailable",
      `Cannot get credentials with docker-credential-${helper}: its answer is malformed`,
    );
  return Username === TOKEN_USER
    ? { username: "", password: "", identitytoken: Secret }
    : { username: Username, password: Secret };
}

/** Keeps a login where the configuration says. Tells whether it lies in the file, where everybody who can read it can read it. */
export async function storeLogin(
  config: ConfigFile,
  registry: string,
  login: Login,
): Promise<{ isPlain: boolean }> {
  const { username, password, identitytoken } = login;
  const helper = config.helperFor(registry);
  if (helper === undefined) {
    const auth = Buffer.from(`${username}:${identitytoken ? "" : password}`).toString("base64");
    config.store(registry, { auth, ...(identitytoken && { identitytoken }) });
    return { isPlain: true };
  }
  const secret = identitytoken
    ? { Username: TOKEN_USER, Secret: identitytoken }
    : { Username: username, Secret: password };
  await askHelper(helper, "store", JSON.stringify({ ServerURL: registry, ...secret }));
  config.store(registry, {});
  return { isPlain: false };
}

/** Tells whether there was anything to forget. */
export async function eraseLogin(config: ConfigFile, registry: string): Promise<boolean> {
  const helper = config.helperFor(registry);
  const isKnown = config.stored(registry) !== undefined;
  if (helper !== undefined) await askHelper(helper, "erase", registry);
  if (isKnown) config.store(registry, undefined);
  return isKnown || helper !== undefined;
}

/**
 * What goes along to the daemon when an image is pulled or pushed: an AuthConfig in JSON; nothing where nobody has logged
 * in. Credentials that cannot be had are complained of, and the registry is asked without.
 */
export async function authFor(
  session: Pick<Session, "complain" | "env">,
  image: string,
): Promise<{ readonly auth?: string }> {
  let domain: string;
  try {
    domain = parseNamed(image).domain;
  } catch {
    return {}; // The daemon says what is wrong with the name.
  }
  const registry = registryKey(domain);
  try {
    const login = await storedLogin(ConfigFile.read(session.env), registry);
    return login === undefined ? {} : { auth: JSON.stringify({ ...login, serveraddress: registry }) };
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    session.complain(`WARNING: ${thrown.message}`);
    return {};
  }
}
