import type { MountSpec } from "#oci";
import { capabilityMask } from "./capabilities.ts";
import { detectCgroups } from "./cgroups/detect.ts";
import { mapLines, mountSteps } from "./compile-mounts.ts";
import { launcherCommand } from "./executable.ts";
import type { Capability, Step } from "./plan.ts";
import type { IdMapping, RuntimeMount } from "./spec.ts";
import { encodeView } from "./wire.ts";

/** What turns an argument vector into one that runs in the view: words to put before it, and bytes for descriptor 3. */
export interface View {
  readonly command: readonly string[];
  readonly plan: Uint8Array<ArrayBuffer>;
}

export type ViewRequest =
  /** A running container as it sees itself, or the file system that its root is on alone. */
  | {
      readonly kind: "running";
      readonly pid: number;
      readonly startTicks: string;
      readonly hasMounts: boolean;
      /** Of its user namespace, if it has one: owners look to the program as they do inside. */
      readonly ids?: { readonly uids: readonly IdMapping[]; readonly gids: readonly IdMapping[] };
    }
  /** One at rest: its root, and the binds among its mounts. */
  | {
      readonly kind: "resting";
      readonly root: MountSpec;
      readonly isReadonly: boolean;
      readonly binds: readonly RuntimeMount[];
    };

/**
 * What a copying program needs, and no more: with CAP_SYS_PTRACE, or with as much as some process of the host has, it
 * could be led through that process's links in a procfs that a container brings along.
 */
const KEPT: readonly Capability[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_MKNOD",
  "CAP_SETFCAP",
  "CAP_SYS_CHROOT",
  "CAP_SYS_RESOURCE",
];

/**
 * The kernel's own file systems hold nothing to be copied, and much that blocks or never ends; and what a program's
 * own libraries look for there shall not be the container's.
 */
const COVERS = ["/proc", "/sys"].map((target): Step => ({ op: "mask", target }));

/** A private look at a container's file systems, as the working directory of a program of the host's. */
export function viewOf(request: ViewRequest): View {
  const limit: Step = { op: "capabilities", bounding: capabilityMask(KEPT), permitted: 0n, effective: 0n };
  const isRunning = request.kind === "running";
  const [pid, ticks] = isRunning ? [String(request.pid), request.startTicks] : ["0", ""];
  return {
    command: [...launcherCommand(["view"]), pid, ticks],
    plan: encodeView([limit, ...(isRunning ? runningSteps(request) : restingSteps(request)), ...COVERS]),
  };
}

function runningSteps({ pid, hasMounts, ids }: Extract<ViewRequest, { kind: "running" }>): readonly Step[] {
  const type = hasMounts ? "bind" : "bind-one";
  const mount = { type, source: `/proc/${pid}/root/`, flags: 0, options: [] };
  const map: readonly Step[] =
    ids === undefined ? [] : [{ op: "id-map", uid: mapLines(ids.uids), gid: mapLines(ids.gids) }];
  return [...map, { op: "root", mount, readonly: false }];
}

function restingSteps(request: Extract<ViewRequest, { kind: "resting" }>): readonly Step[] {
  const { root, isReadonly, binds } = request;
  return [
    { op: "root", mount: root, readonly: isReadonly },
    ...binds.flatMap((bind) => mountSteps(bind, detectCgroups())),
  ];
}
