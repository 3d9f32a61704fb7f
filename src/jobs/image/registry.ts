import type { JobContext } from "#engine";
import { type OpenRegistry, parseCredentials, type RegistryClient, type RegistrySettings } from "#registry";
import type { EngineSettings } from "../rooms.ts";

export interface RegistryNeeds {
  readonly openRegistry: OpenRegistry;
  readonly settings: Pick<EngineSettings, "certificateFolders" | "insecureRegistries" | "registryMirrors"> &
    Partial<Pick<EngineSettings, "downloadAttempts" | "proxies">>;
}

/** The daemon's settings in the registry's words. */
export function registrySettings({
  registryMirrors: mirrors,
  insecureRegistries: insecure,
  certificateFolders,
  proxies,
  downloadAttempts: attempts,
}: RegistryNeeds["settings"]): RegistrySettings {
  return {
    mirrors,
    insecure,
    certificateFolders,
    ...(proxies !== undefined && { proxies }),
    ...(attempts !== undefined && { attempts }),
  };
}

/** A client for one errand, with the credentials that whoever asked for it sent along. */
export function clientFor(
  { openRegistry, settings }: RegistryNeeds,
  { environment }: Pick<JobContext, "environment">,
): RegistryClient {
  return openRegistry(registrySettings(settings), parseCredentials(environment.REGISTRY_AUTH));
}
