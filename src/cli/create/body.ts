import type { CreateBody, HealthBody, HostConfigBody } from "#client";
import { didYouMean, Fault } from "#errors";
import type { Flags } from "../flags.ts";
import { environment, labelsOf } from "./environment.ts";
import type { CreateFlags } from "./flags.ts";
import { mountOf, tmpfsOf, volumesOf } from "./mounts.ts";
import { networking } from "./networks.ts";
import { exposedPorts, publishedPorts } from "./ports.ts";
import { deviceResources, given, limits } from "./resources.ts";
import { securityOptions } from "./security.ts";
import { mapOf, nanosecondsOf, sizeOf } from "./values.ts";

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths are resolved against it. */
  readonly folder: string;
  /** Rows and columns of our terminal. */
  readonly consoleSize?: [number, number];
}

/**
 * The body of POST /containers/create for the words of `run` or `create`. Says only what was asked for: the daemon's
 * defaults are the daemon's. Source: docker run reference, field by field.
 * @param words the image, and the command for it
 * @throws Fault `invalid` or `conflict`, worded as docker's client words it
 */
export function createBody(
  flags: Flags<CreateFlags>,
  words: readonly string[],
  around: Surroundings,
): CreateBody {
  const [image = "", ...command] = words;
  const list = (name: keyof CreateFlags) => flags.values(name)?.slice();
  const published = publishedPorts(flags.list("publish"));
  const exposed = [...Object.keys(published), ...exposedPorts(flags.list("expose"))];
  const { binds, anonymous } = volumesOf(flags.list("volume"), around.folder);
  const { mode, links, endpoints } = networking(flags);
  const variables = environment(flags.list("env-file"), flags.list("env"), around.env);
  const labels = labelsOf(flags.list("label-file"), flags.list("label"));
  const folders = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, {} as Record<string, never>]));
  return given<CreateBody>({
    Image: image,
    Cmd: command.length > 0 ? command : undefined,
    Hostname: flags.optional("hostname"),
    Domainname: flags.optional("domainname"),
    User: flags.optional("user"),
    ...streams(flags),
    ExposedPorts: exposed.length > 0 ? folders(exposed) : undefined,
    Env: variables.length > 0 ? variables : undefined,
    Healthcheck: healthcheck(flags),
    Volumes: anonymous.length > 0 ? folders(anonymous) : undefined,
    WorkingDir: flags.optional("workdir"),
    // The empty text takes the image's entry point away.
    Entrypoint: flags.has("entrypoint") ? [flags.text("entrypoint")] : undefined,
    Labels: labels.length > 0 ? mapOf(labels) : undefined,
    StopSignal: flags.optional("stop-signal"),
    StopTimeout: flags.int("stop-timeout"),
    HostConfig: hostConfig(flags, {
      Binds: binds.length > 0 ? binds : undefined,
      NetworkMode: mode,
      Links: links.length > 0 ? links : undefined,
      PortBindings: flags.has("publish") ? published : undefined,
      Dns: list("dns"),
      DnsOptions: list("dns-option"),
      DnsSearch: list("dns-search"),
      ExtraHosts: list("add-host")?.map(hostLine),
      CapAdd: list("cap-add")?.map(capability),
      CapDrop: list("cap-drop")?.map(capability),
      GroupAdd: list("group-add"),
      VolumesFrom: list("volumes-from"),
      ConsoleSize: around.consoleSize,
      Mounts: list("mount")?.map((text) => mountFrom(text, around.folder)),
    }),
    NetworkingConfig: Object.keys(endpoints).length > 0 ? { EndpointsConfig: endpoints } : undefined,
  });
}

function mountFrom(text: string, folder: string) {
  const mount = mountOf(text, folder);
  if ("problem" in mount) throw new Fault("invalid", mount.problem);
  return mount;
}

/** `net_admin` is sent as `CAP_NET_ADMIN`. */
function capability(text: string): string {
  const name = text.trim().toUpperCase();
  return name === "ALL" || name.startsWith("CAP_") ? name : `CAP_${name}`;
}

/** `name=[address]` is sent as `name:address`. */
const hostLine = (text: string) => text.replace(/^([^:=]*)[:=]\[?([^\]]*)\]?$/, "$1:$2");

/** Which streams are attached, as `run` without `--detach` sees it; `withoutStreams` takes them away. */
function streams(flags: Flags<CreateFlags>): Partial<CreateBody> {
  const asked = flags.list("attach").map((name) => name.toLowerCase());
  const isOpen = flags.bool("interactive");
  const attached = (name: string, preset: boolean) => (asked.length > 0 ? asked.includes(name) : preset);
  const stdin = attached("stdin", isOpen);
  return given({
    AttachStdin: stdin || undefined,
    AttachStdout: attached("stdout", true),
    AttachStderr: attached("stderr", true),
    Tty: flags.bool("tty") || undefined,
    OpenStdin: isOpen || undefined,
    StdinOnce: (isOpen && stdin) || undefined,
  });
}

/** A detached container: nothing is attached, and its input outlives every client. */
export function withoutStreams(body: CreateBody): CreateBody {
  return { ...body, AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false };
}

function hostConfig(flags: Flags<CreateFlags>, known: HostConfigBody): HostConfigBody {
  const map = (name: "annotation" | "sysctl") => {
    const pairs = flags.values(name);
    return pairs && mapOf(pairs);
  };
  const tmpfs = flags.values("tmpfs");
  const mode = (name: "cgroupns" | "ipc" | "pid" | "userns" | "uts") => flags.optional(name);
  checkModes(flags);
  const isKept = ["", "no"].includes(flags.text("restart"));
  if (flags.bool("rm") && !isKept)
    throw new Fault("conflict", "conflicting options: cannot specify both --restart and --rm");
  return given({
    ...limits(flags),
    ...deviceResources(flags),
    ...known,
    ...securityOptions(flags.list("security-opt")),
    Annotations: map("annotation"),
    AutoRemove: flags.bool("rm") || undefined,
    CgroupnsMode: mode("cgroupns"),
    ContainerIDFile: flags.optional("cidfile"),
    Init: flags.has("init") ? flags.bool("init") : undefined,
    IpcMode: mode("ipc"),
    Isolation: flags.optional("isolation"),
    LogConfig: logging(flags),
    OomScoreAdj: flags.int("oom-score-adj"),
    PidMode: mode("pid"),
    Privileged: flags.bool("privileged") || undefined,
    PublishAllPorts: flags.bool("publish-all") || undefined,
    ReadonlyRootfs: flags.bool("read-only") || undefined,
    Runtime: flags.optional("runtime"),
    ShmSize: flags.has("shm-size") ? sizeOf(flags.text("shm-size")) : undefined,
    StorageOpt: flags.has("storage-opt")
      ? pairs(flags.list("storage-opt"), "invalid storage option")
      : undefined,
    Sysctls: map("sysctl"),
    Tmpfs: tmpfs && tmpfsOf(tmpfs),
    UTSMode: mode("uts"),
    UsernsMode: mode("userns"),
    VolumeDriver: flags.optional("volume-driver"),
  });
}

const MODES = ["host", "private"];

function checkModes(flags: Flags<CreateFlags>): void {
  const refuse = (name: keyof CreateFlags, what: string) =>
    new Fault("invalid", `--${name}: invalid ${what} mode${didYouMean(flags.text(name), MODES)}`);
  const isContainer = (text: string) => /^container:.+/.test(text);
  const [pid, uts, userns, cgroupns] = (["pid", "uts", "userns", "cgroupns"] as const).map((name) =>
    flags.text(name),
  );
  if (pid && pid !== "host" && !isContainer(pid)) throw refuse("pid", "PID");
  if (uts && uts !== "host") throw refuse("uts", "UTS");
  if (userns && userns !== "host") throw refuse("userns", "USER");
  if (cgroupns && !["host", "private"].includes(cgroupns)) throw refuse("cgroupns", "CGROUP");
}

function logging(flags: Flags<CreateFlags>): HostConfigBody["LogConfig"] {
  const driver = flags.text("log-driver");
  if (!flags.has("log-driver") && !flags.has("log-opt")) return undefined;
  if (driver === "none" && flags.has("log-opt"))
    throw new Fault("invalid", "invalid logging opts for driver none");
  return { Type: driver, Config: mapOf(flags.list("log-opt")) };
}

function pairs(texts: readonly string[], problem: string): Record<string, string> {
  if (texts.some((text) => !text.includes("="))) throw new Fault("invalid", problem);
  return mapOf(texts);
}

function healthcheck(flags: Flags<CreateFlags>): HealthBody | undefined {
  const time = (
    name: "health-interval" | "health-timeout" | "health-start-period" | "health-start-interval",
  ) => {
    const nanoseconds = flags.values(name)?.map(nanosecondsOf).at(-1);
    if (nanoseconds !== undefined && nanoseconds < 0)
      throw new Fault("invalid", `--${name} cannot be negative`);
    return nanoseconds;
  };
  const check = given<HealthBody>({
    Test: flags.has("health-cmd") ? ["CMD-SHELL", flags.text("health-cmd")] : undefined,
    Interval: time("health-interval"),
    Timeout: time("health-timeout"),
    StartPeriod: time("health-start-period"),
    StartInterval: time("health-start-interval"),
    Retries: flags.int("health-retries"),
  });
  const isAsked = Object.keys(check).length > 0;
  if (flags.bool("no-healthcheck")) {
    if (isAsked) throw new Fault("conflict", "--no-healthcheck conflicts with --health-* options");
    return { Test: ["NONE"] };
  }
  if ((check.Retries ?? 0) < 0) throw new Fault("invalid", "--health-retries cannot be negative");
  return isAsked ? check : undefined;
}
