import { z } from "zod";
import { Fault } from "#errors";
import type { Endpoint } from "../client/endpoints.ts";
import type { Credentials } from "../types.ts";

/** Docker's AuthConfig. `auth` is base64 of `user:password`; an identity token may stand for the password. */
const AuthConfig = z
  .object({
    username: z.string().max(4096).optional(),
    password: z.string().max(65_536).optional(),
    auth: z.string().max(90_000).optional(),
    identitytoken: z.string().max(65_536).optional(),
    registrytoken: z.string().max(65_536).optional(),
  })
  .nullable();

/** Credentials out of the JSON of `X-Registry-Auth`; undefined for an anonymous caller. */
export function parseCredentials(json: string | undefined): Credentials | undefined {
  if (json === undefined || json.trim() === "") return undefined;
  let parsed: z.infer<typeof AuthConfig>;
  try {
    parsed = AuthConfig.parse(JSON.parse(json));
  } catch {
    // The cause would quote the secret.
    throw new Fault("invalid", "Cannot read the registry credentials: expected an AuthConfig object");
  }
  if (parsed === null) return undefined;
  const [name, ...rest] = Buffer.from(parsed.auth ?? "", "base64")
    .toString()
    .split(":");
  const username = parsed.username || name;
  const password = parsed.password || rest.join(":");
  const credentials = {
    ...(username && { username }),
    ...(password && { password }),
    ...(parsed.identitytoken && { identityToken: parsed.identitytoken }),
    ...(parsed.registrytoken && { registryToken: parsed.registrytoken }),
  };
  return Object.keys(credentials).length === 0 ? undefined : credentials;
}

/** Credentials were given for one registry: a mirror of it is somebody else. */
export function credentialsFor(
  endpoint: Endpoint,
  credentials: Credentials | undefined,
): Credentials | undefined {
  return endpoint.isMirror ? undefined : credentials;
}
