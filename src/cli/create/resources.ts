import type { DeviceBody, Resources, RestartPolicy, ThrottleDevice } from "#client";
import { Fault } from "#errors";
import type { Flags, FlagTable } from "../flags.ts";
import type { CreateFlags, RESOURCE_FLAGS } from "./flags.ts";
import { gpuRequest } from "./gpus.ts";
import { nanoCpusOf, sizeOf, swapOf, ulimitOf } from "./values.ts";

/** Keeps only what was asked for: the body then says nothing about the rest. */
export function given<T extends object>(fields: T): T {
  const kept = { ...fields };
  // A loop: of so many fields a callback would be called often enough to be compiled.
  for (const name in kept) if (kept[name] === undefined) delete kept[name];
  return kept;
}

type ResourceFlags = typeof RESOURCE_FLAGS & FlagTable;

/** The limits that both `create` and `update` know. */
export function limits(flags: Flags<ResourceFlags>): Resources {
  const text = (name: keyof typeof RESOURCE_FLAGS) => flags.optional(name) || undefined;
  const size = (name: keyof typeof RESOURCE_FLAGS) => flags.values(name)?.map(sizeOf).at(-1);
  return given({
    BlkioWeight: flags.int("blkio-weight"),
    CpuPeriod: flags.int("cpu-period"),
    CpuQuota: flags.int("cpu-quota"),
    CpuRealtimePeriod: flags.int("cpu-rt-period"),
    CpuRealtimeRuntime: flags.int("cpu-rt-runtime"),
    CpuShares: flags.int("cpu-shares"),
    NanoCpus: flags.has("cpus") ? nanoCpusOf(flags.text("cpus")) : undefined,
    CpusetCpus: text("cpuset-cpus"),
    CpusetMems: text("cpuset-mems"),
    Memory: size("memory"),
    MemoryReservation: size("memory-reservation"),
    MemorySwap: flags.has("memory-swap") ? swapOf(flags.text("memory-swap")) : undefined,
    PidsLimit: flags.int("pids-limit"),
    RestartPolicy: flags.has("restart") ? restartPolicy(flags.text("restart")) : undefined,
  });
}

/** `no`, `always`, `unless-stopped`, `on-failure:3`. @throws Fault `invalid` */
export function restartPolicy(text: string): RestartPolicy {
  const [name = "", count, ...rest] = text.split(":");
  if (rest.length > 0)
    throw new Fault("invalid", "invalid restart policy format: maximum retry count must be an integer");
  if (count !== undefined && !/^-?\d+$/.test(count))
    throw new Fault("invalid", "invalid restart policy format: maximum retry count must be an integer");
  if (text !== "" && name === "")
    throw new Fault("invalid", "invalid restart policy format: no policy provided before colon");
  return { Name: name, MaximumRetryCount: Number(count ?? 0) };
}

/** What only `create` knows: devices, rates per device, kernel limits. */
export function deviceResources(flags: Flags<CreateFlags>): Resources {
  const swappiness = flags.int("memory-swappiness") ?? -1;
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100))
    throw new Fault("invalid", `invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  const some = <V>(name: keyof CreateFlags, read: (text: string) => V) => flags.values(name)?.map(read);
  const devices = flags.list("device");
  const requests = [
    ...devices
      .filter(isCdi)
      .map((name) => ({ Driver: "cdi", Count: 0, DeviceIDs: [name], Capabilities: null, Options: {} })),
    ...flags.list("gpus").map(gpuRequest),
  ];
  return given({
    CgroupParent: flags.optional("cgroup-parent"),
    BlkioWeightDevice: some("blkio-weight-device", (text) => {
      const { Path, Rate } = rateOf(text);
      return { Path, Weight: Rate };
    }),
    BlkioDeviceReadBps: some("device-read-bps", rateOf),
    BlkioDeviceWriteBps: some("device-write-bps", rateOf),
    BlkioDeviceReadIOps: some("device-read-iops", rateOf),
    BlkioDeviceWriteIOps: some("device-write-iops", rateOf),
    Devices: devices.some((device) => !isCdi(device))
      ? devices.filter((it) => !isCdi(it)).map(deviceOf)
      : undefined,
    DeviceCgroupRules: some("device-cgroup-rule", (text) => text),
    DeviceRequests: requests.length > 0 ? requests : undefined,
    MemorySwappiness: swappiness === -1 ? undefined : swappiness,
    OomKillDisable: flags.has("oom-kill-disable") ? flags.bool("oom-kill-disable") : undefined,
    Ulimits: some("ulimit", (text) => {
      const ulimit = ulimitOf(text);
      if ("problem" in ulimit) throw new Fault("invalid", ulimit.problem);
      return ulimit;
    }),
  });
}

function rateOf(text: string): ThrottleDevice {
  const colon = text.indexOf(":");
  return { Path: text.slice(0, colon), Rate: sizeOf(text.slice(colon + 1)) ?? 0 };
}

/** `vendor.com/class=name` is a device of the Container Device Interface, not a path. */
const isCdi = (text: string) => /^[a-z][\w.-]*\/[a-z][\w.-]*=[\w.:-]+$/i.test(text);

const MODE = /^(?!.*(.).*\1)[rwm]{1,3}$/;

/** `/dev/fuse`, `/dev/sda:/dev/xvda:r`, `/dev/sda:rwm`. @throws Fault `invalid` */
function deviceOf(text: string): DeviceBody {
  const [host = "", second, third, ...rest] = text.split(":");
  if (rest.length > 0 || host === "") throw new Fault("invalid", `invalid device specification: ${text}`);
  const isMode = second !== undefined && third === undefined && MODE.test(second);
  const mode = third ?? (isMode ? second : "rwm");
  if (!MODE.test(mode)) throw new Fault("invalid", `bad mode specified: ${mode}`);
  return { PathOnHost: host, PathInContainer: isMode ? host : second || host, CgroupPermissions: mode };
}
