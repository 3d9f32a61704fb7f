import { readFileSync, readlinkSync } from "node:fs";
import { totalmem } from "node:os";
import { Fault } from "#errors";
import type { Resources } from "../spec.ts";
import { type Cgroups, hierarchyOf } from "./detect.ts";
import { tryReadSetting, tryWriteSetting } from "./files.ts";
import { type Freezer, freeze, freezerV1, freezerV2, thaw } from "./freezer.ts";
import { type GroupStatistics, parseFlat, parseHostCpu, parseNetworkCounters } from "./statistics.ts";
import { directoriesOf, processesBelow, removeTree } from "./tree.ts";
import { writeSettings } from "./update.ts";
import { settings as settingsV1 } from "./v1/settings.ts";
import { statisticsV1 } from "./v1/statistics.ts";
import { settings as settingsV2 } from "./v2/settings.ts";
import { statisticsV2 } from "./v2/statistics.ts";

/** As `Statistics` of the exec drivers, which this room does not know. */
export interface ContainerStatistics extends GroupStatistics {
  readonly readAt: bigint;
  readonly systemCpu: bigint;
  readonly onlineCpus: number;
  readonly networks: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** A running container's groups. Every method throws a Fault when they have gone, unless it says otherwise. */
export interface Group {
  freeze(): Promise<void>;
  thaw(): void;
  isFrozen(): boolean;
  /** `pid` names the network namespace whose counters are meant: the host's own are not told. */
  statistics(pid: number): ContainerStatistics;
  /** Pids as the host sees them, those in groups below included; empty when the groups have gone. */
  processes(): readonly number[];
  update(resources: Resources): void;
  /** Kills every process, frozen ones too. Those that are being born meanwhile are caught by asking again. */
  kill(): void;
  /** How often the kernel killed for want of memory; 0 where nobody counts. */
  oomKills(): number;
  /** Removes the groups, those below first; what still holds processes stays. Never throws. */
  remove(): void;
}

/** The groups at `path` below the top of every hierarchy, like `bunker/<id>`. Nothing is touched until it is asked. */
export function openGroup(cgroups: Cgroups, path: string): Group {
  const directory = (controller: string) => {
    const top = hierarchyOf(cgroups, controller);
    return top === undefined ? undefined : `${top}/${path}`;
  };
  const counting =
    directory("pids") ?? directory("cpuacct") ?? directory("freezer") ?? directory("name=systemd");
  return {
    freeze: () => freeze(freezerOf(cgroups, directory("freezer"))),
    thaw: () => thaw(freezerOf(cgroups, directory("freezer"))),
    isFrozen: () => freezerOf(cgroups, directory("freezer")).isFrozen(),
    statistics: (pid) => ({ ...groupStatistics(cgroups, directory), ...hostStatistics(pid) }),
    processes: () => (counting === undefined ? [] : processesBelow(counting)),
    update: (resources) =>
      writeSettings(cgroups.version === 2 ? settingsV2(resources) : settingsV1(resources), directory),
    kill: () => killAll(cgroups, { counting, freezer: directory("freezer") }),
    oomKills: () => oomKills(directory("memory")),
    remove: () => {
      for (const one of directoriesOf(cgroups, path)) removeTree(one);
    },
  };
}

function freezerOf(cgroups: Cgroups, directory: string | undefined): Freezer {
  if (directory === undefined || cgroups.version === 0)
    throw new Fault(
      "unsupported",
      "Cannot pause: this host has no freezer, neither as a v1 hierarchy nor in cgroup v2",
    );
  return cgroups.version === 2 ? freezerV2(directory) : freezerV1(directory);
}

function groupStatistics(
  cgroups: Cgroups,
  directory: (controller: string) => string | undefined,
): GroupStatistics {
  const measured = cgroups.version === 2 ? statisticsV2(directory("") ?? "") : statisticsV1(directory);
  // Without a limit of its own a container has the host's memory, which is what clients compute percentages of.
  return { ...measured, memoryLimit: Math.min(measured.memoryLimit ?? Number.POSITIVE_INFINITY, totalmem()) };
}

function hostStatistics(pid: number) {
  return {
    readAt: BigInt(Date.now()) * 1_000_000n,
    ...parseHostCpu(readFileSync("/proc/stat", "utf8")),
    networks: isInHostNetwork(pid) ? {} : parseNetworkCounters(tryReadSetting(`/proc/${pid}/net/dev`) ?? ""),
  };
}

function isInHostNetwork(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync("/proc/self/ns/net");
  } catch {
    return true; // It has gone, and its counters with it.
  }
}

/** Source: memory.events of v2, memory.oom_control of v1. */
function oomKills(directory: string | undefined): number {
  if (directory === undefined) return 0;
  const text =
    tryReadSetting(`${directory}/memory.events`) ?? tryReadSetting(`${directory}/memory.oom_control`);
  return Number(parseFlat(text).get("oom_kill") ?? 0n);
}

/** v2 kills a group at once; on v1 its processes are frozen first, so that they do not multiply meanwhile. */
function killAll(
  cgroups: Cgroups,
  where: { readonly counting: string | undefined; readonly freezer: string | undefined },
): void {
  const { counting, freezer } = where;
  if (cgroups.version === 2 && counting !== undefined && tryWriteSetting(`${counting}/cgroup.kill`, "1"))
    return;
  const isV1 = cgroups.version === 1 && freezer !== undefined;
  if (isV1) tryWriteSetting(`${freezer}/freezer.state`, "FROZEN");
  for (const pid of counting === undefined ? [] : processesBelow(counting)) tryKill(pid);
  if (isV1) tryWriteSetting(`${freezer}/freezer.state`, "THAWED");
  if (cgroups.version === 2 && counting !== undefined) tryWriteSetting(`${counting}/cgroup.freeze`, "0");
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
