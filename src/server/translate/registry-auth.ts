/** Credentials of one registry, and of a dozen, are far below this, in characters. */
const LIMIT = 64 * 1024;

/**
 * The JSON inside X-Registry-Auth or X-Registry-Config, which comes as base64 of either alphabet, padded or not. Nothing, `{}`
 * and `null` are anonymous, and so is what cannot be read: Docker has always pulled in spite of it.
 */
export function decodeRegistryAuth(header: string | undefined): string | undefined {
  if (header === undefined || header === "" || header.length > LIMIT) return undefined;
  const text = Buffer.from(header.trim(), "base64").toString("utf8");
  try {
    const value: unknown = JSON.parse(text);
    const isFilled = typeof value === "object" && value !== null && Object.keys(value).length > 0;
    return isFilled && !Array.isArray(value) ? JSON.stringify(value) : undefined;
  } catch {
    return undefined;
  }
}

/** The environment of a job that asks a registry, out of the request's X-Registry-Auth. */
export function registryEnvironment(header: string | undefined): Readonly<Record<string, string>> {
  const auth = decodeRegistryAuth(header);
  return auth === undefined ? {} : { REGISTRY_AUTH: auth };
}

/** The environment of a job that asks several registries, out of the request's X-Registry-Config: registry → AuthConfig. */
export function registriesEnvironment(header: string | undefined): Readonly<Record<string, string>> {
  const config = decodeRegistryAuth(header);
  return config === undefined ? {} : { REGISTRY_CONFIG: config };
}
