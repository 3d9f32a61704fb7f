import type { Container } from "#container";
import {
  CAPABILITIES,
  type Capability,
  containerCapabilities,
  keepProjects,
  type ProcessSpec,
  rlimitValue,
} from "#libcontainer";
import type { ExecSpec } from "../types.ts";
import { sizeLimitOf } from "./size-limit.ts";
import {
  apparmorProfile,
  parseSecurityOptions,
  type SecurityOptions,
  seccompProfile,
} from "./spec-security.ts";

/** Where Docker puts it. */
export const INIT_TARGET = "/sbin/docker-init";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What the engine's own settings say of every container. */
export interface ProcessDefaults {
  readonly noNewPrivileges?: boolean;
  readonly init?: boolean;
  /** A profile of the user's, for containers that ask for none. */
  readonly seccomp?: SecurityOptions["seccomp"];
  /** A program of the host's that is run as init, in place of the launcher. */
  readonly initPath?: string;
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
}

/** A container's first process. `hostname` is what HOSTNAME shall say. */
export function containerProcess(
  container: Container,
  context: { readonly hostname: string; readonly defaults: ProcessDefaults },
): ProcessSpec {
  const { effective, spec } = container;
  const args = [container.path, ...container.args];
  const hasInit = spec.host.init ?? context.defaults.init ?? false;
  const isForeign = hasInit && hasForeignInit(container, context.defaults);
  return {
    ...confinement(container, context.defaults),
    terminal: spec.tty,
    args: isForeign ? [INIT_TARGET, "--", ...args] : args,
    env: environment([...baseEnvironment(context.hostname, spec.tty), ...effective.env]),
    cwd: effective.workingDirectory || "/",
    user: effective.user,
    init: hasInit && !isForeign,
  };
}

/** Whether the program of the settings is the container's init. Elsewhere than as process 1 it could reap nothing. */
export function hasForeignInit({ spec }: Container, { init, initPath }: ProcessDefaults): boolean {
  return initPath !== undefined && (spec.host.init ?? init ?? false) && spec.host.pidMode === "";
}

/** One more process in a running container: confined as the first one, with what was asked for in place of its own. */
export function execProcess(
  container: Container,
  spec: ExecSpec,
  defaults: ProcessDefaults = {},
): ProcessSpec {
  const { effective } = container;
  const base = baseEnvironment(effective.hostname, spec.tty);
  const own = confinement(container, defaults);
  const { apparmorProfile: profile, ...withoutProfile } = own;
  return {
    ...(spec.privileged || profile === undefined ? withoutProfile : own),
    ...(spec.privileged ? { capabilities: CAPABILITIES } : {}),
    terminal: spec.tty,
    args: spec.args,
    env: environment([...base, ...effective.env, ...spec.env]),
    cwd: spec.workingDirectory || effective.workingDirectory || "/",
    user: spec.user || effective.user,
    init: false,
  };
}

function confinement(container: Container, defaults: ProcessDefaults) {
  const { host } = container.spec;
  const capabilities = capabilitiesOf(container);
  const profile = seccompProfile(host, capabilities, defaults.seccomp);
  const isLimited =
    sizeLimitOf(host.storageOptions) !== undefined ||
    container.mounts.some(({ hasSizeLimit }) => hasSizeLimit === true);
  const seccomp = profile !== undefined && isLimited ? keepProjects(profile) : profile;
  const apparmor = apparmorProfile(host);
  return {
    additionalGroups: host.groupAdd,
    capabilities,
    rlimits: rlimits(container, defaults),
    noNewPrivileges:
      parseSecurityOptions(host.securityOptions).noNewPrivileges ?? defaults.noNewPrivileges ?? false,
    oomScoreAdj: host.oomScoreAdj,
    ...(apparmor === undefined ? {} : { apparmorProfile: apparmor }),
    ...(seccomp === undefined ? {} : { seccomp }),
  };
}

/** What is asked for; the host's own limits are the launcher's to heed. */
export function capabilitiesOf({ spec }: Pick<Container, "spec">): readonly Capability[] {
  return containerCapabilities({
    add: spec.host.capAdd,
    drop: spec.host.capDrop,
    privileged: spec.host.privileged,
  });
}

/** What the daemon sets for all containers is dispensable where its own rights do not reach so far. */
function rlimits({ spec }: Container, { ulimits = [] }: ProcessDefaults): ProcessSpec["rlimits"] {
  return spec.host.ulimits.map((one) => ({
    type: `RLIMIT_${one.name.toUpperCase()}`,
    soft: rlimitValue(one.soft),
    hard: rlimitValue(one.hard),
    ...(ulimits.some((other) => Bun.deepEquals(one, other)) && { isDefault: true }),
  }));
}

function baseEnvironment(hostname: string, isTerminal: boolean): readonly string[] {
  return [`PATH=${DEFAULT_PATH}`, `HOSTNAME=${hostname}`, ...(isTerminal ? ["TERM=xterm"] : [])];
}

/** A later value takes the place of an earlier one; a name without `=` removes it. */
export function environment(entries: readonly string[]): readonly string[] {
  const values = new Map<string, string>();
  for (const entry of entries) {
    const equals = entry.indexOf("=");
    if (equals < 0) values.delete(entry);
    else values.set(entry.slice(0, equals), entry);
  }
  return [...values.values()];
}
