import { statSync } from "node:fs";
import type { HostSpec, ResourceSpec } from "#container";
import { Fault } from "#errors";
import {
  ALL_DEVICE_RULES,
  type BlkioDevice,
  DEFAULT_DEVICE_RULES,
  type DeviceRule,
  deviceNumbers,
  parseDeviceRule,
  type Resources,
  resolveDevices,
} from "#libcontainer";

const NANO = 1_000_000_000;
/** The kernel's own default, in which `--cpus` is expressed. */
const DEFAULT_PERIOD_MICROSECONDS = 100_000;

/** Docker's units and zeros as the kernel's. Throws `invalid` for a device that is not there. */
export function resourcesOf(host: HostSpec): Resources {
  const asked = host.resources;
  return {
    ...memoryOf(asked),
    ...cpuOf(asked),
    ...set("pidsLimit", asked.pidsLimit),
    ...set("blkioWeight", asked.blkioWeight),
    blkioDevices: blkioDevices(asked),
    devices: deviceRules(host),
  };
}

/** A field only when it says something: zero is Docker's word for nothing. */
function set<Name extends keyof Resources>(
  name: Name,
  value: number | string | undefined,
): Partial<Resources> {
  return value === undefined || value === 0 || value === "" ? {} : { [name]: value };
}

/** Memory with swap is twice the memory unless it is told, as in Docker. */
function memoryOf(asked: ResourceSpec): Partial<Resources> {
  const { memory = 0, memorySwap = 0, memorySwappiness: swappiness } = asked;
  const both = memorySwap === 0 && memory > 0 ? memory * 2 : memorySwap;
  return {
    ...set("memoryBytes", memory),
    ...set("memorySwapBytes", both),
    ...set("memoryReservationBytes", asked.memoryReservation),
    ...(swappiness === undefined || swappiness < 0 ? {} : { memorySwappiness: swappiness }),
    ...(asked.oomKillDisable ? { oomKillDisable: true } : {}),
  };
}

function cpuOf(asked: ResourceSpec): Partial<Resources> {
  const { nanoCpus = 0 } = asked;
  const bandwidth =
    nanoCpus > 0
      ? {
          cpuQuota: Math.round((nanoCpus * DEFAULT_PERIOD_MICROSECONDS) / NANO),
          cpuPeriod: DEFAULT_PERIOD_MICROSECONDS,
        }
      : asked;
  return {
    ...set("cpuShares", asked.cpuShares),
    ...set("cpuPeriodMicroseconds", bandwidth.cpuPeriod),
    ...set("cpuQuotaMicroseconds", bandwidth.cpuQuota),
    ...set("cpusetCpus", asked.cpusetCpus),
    ...set("cpusetMems", asked.cpusetMems),
  };
}

function blkioDevices(asked: ResourceSpec): readonly BlkioDevice[] {
  const lists = [
    ["weight", asked.blkioWeightDevice],
    ["read-bps", asked.blkioDeviceReadBps],
    ["write-bps", asked.blkioDeviceWriteBps],
    ["read-iops", asked.blkioDeviceReadIops],
    ["write-iops", asked.blkioDeviceWriteIops],
  ] as const;
  return lists.flatMap(([kind, devices]) =>
    (devices ?? []).map(({ path, value }) => ({ kind, value, ...blockDevice(path) })),
  );
}

function blockDevice(path: string): { readonly major: number; readonly minor: number } {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined || !(stat.isBlockDevice() || stat.isCharacterDevice()))
    throw new Fault(
      "invalid",
      `Cannot limit the device ${path.slice(0, 200)}: there is no such device on this host`,
    );
  return deviceNumbers(stat.rdev);
}

/** The default ones, those of the devices asked for, and the user's own; everything for privileged containers. */
function deviceRules(host: HostSpec): readonly DeviceRule[] {
  if (host.privileged) return ALL_DEVICE_RULES;
  return [
    ...DEFAULT_DEVICE_RULES,
    ...resolveDevices(deviceRequests(host)).rules,
    ...host.deviceCgroupRules.map(parseDeviceRule),
  ];
}

/** With the defaults that an API client may leave out. */
export function deviceRequests({ devices }: HostSpec) {
  return devices.map(({ hostPath, containerPath, permissions }) => ({
    hostPath,
    containerPath: containerPath || hostPath,
    permissions: permissions || "rwm",
  }));
}
