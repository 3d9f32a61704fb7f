import { Fault } from "#errors";
import type { SeccompProfile } from "../spec.ts";

export function compileSeccomp(profile: SeccompProfile): Uint8Array {
  throw new Fault("unsupported", `Cannot compile a seccomp profile of ${profile.syscalls.length} rules`);
}
