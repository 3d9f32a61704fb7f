import { statSync } from "node:fs";
import { Fault } from "#errors";
import { deviceNumbers } from "../devices.ts";
import type { DeviceNode, DeviceRule, RuntimeHook, RuntimeMount, RuntimeSpec } from "../spec.ts";
import type { CdiDevice } from "./devices.ts";
import type { CdiEdits } from "./specification.ts";

type Edit<Kind extends keyof CdiEdits> = CdiEdits[Kind] extends readonly (infer One)[] | undefined
  ? One
  : never;

/** The specification with what these devices change in it: each file's common part once and first. Throws `invalid` and `unsupported`. */
export function injectCdiDevices(spec: RuntimeSpec, devices: readonly CdiDevice[]): RuntimeSpec {
  const seen = new Set<string>();
  return devices.reduce((edited, device) => {
    const isFirst = !seen.has(device.path);
    seen.add(device.path);
    const edits = isFirst ? [device.common, device.edits] : [device.edits];
    return edits.reduce((one, edit) => withEdits(one, edit, device.name), edited);
  }, spec);
}

function withEdits(spec: RuntimeSpec, edits: CdiEdits, device: string): RuntimeSpec {
  if (edits.intelRdt !== undefined || edits.netDevices.length > 0)
    throw new Fault(
      "unsupported",
      `Cannot give the container ${device}: cache classes (intelRdt) and network devices of CDI are not supported`,
    );
  const nodes = edits.deviceNodes.map((node) => nodeOf(node, device));
  return {
    ...spec,
    process: {
      ...spec.process,
      env: [...spec.process.env.filter((entry) => !isSetBy(edits.env, entry)), ...edits.env],
      additionalGroups: [...spec.process.additionalGroups, ...edits.additionalGids.map(String)],
    },
    mounts: [...spec.mounts, ...edits.mounts.map(mountOf)].sort((a, b) => depth(a) - depth(b)),
    hooks: [...(spec.hooks ?? []), ...edits.hooks.map(hookOf)],
    linux: {
      ...spec.linux,
      devices: [
        ...spec.linux.devices.filter(({ path }) => !nodes.some(({ node }) => node.path === path)),
        ...nodes.map(({ node }) => node),
      ],
      resources: {
        ...spec.linux.resources,
        devices: [...spec.linux.resources.devices, ...nodes.flatMap(({ rule }) => rule ?? [])],
      },
    },
  };
}

const keyOf = (entry: string) => entry.split("=", 1)[0];
const isSetBy = (env: readonly string[], entry: string) => env.some((own) => keyOf(own) === keyOf(entry));
const depth = ({ destination }: RuntimeMount) => destination.split("/").filter((part) => part !== "").length;

function mountOf({ hostPath, containerPath, type, options }: Edit<"mounts">): RuntimeMount {
  const isBind = type === undefined || ["", "bind", "none"].includes(type);
  const says = options.some((option) => option === "bind" || option === "rbind");
  return {
    destination: containerPath,
    type: isBind ? "bind" : (type ?? "bind"),
    source: hostPath,
    options: isBind && !says ? ["rbind", ...options] : options,
  };
}

function hookOf({ hookName, path, args, env, timeout }: Edit<"hooks">): RuntimeHook {
  return { name: hookName, path, args, env, ...(timeout === undefined ? {} : { timeoutSeconds: timeout }) };
}

/** What the file leaves out is the host's own node's. */
function nodeOf(
  edit: Edit<"deviceNodes">,
  device: string,
): { readonly node: DeviceNode; readonly rule: DeviceRule | undefined } {
  const host = hostNode(edit.hostPath ?? edit.path);
  const type = edit.type === "u" ? "c" : (edit.type ?? host?.type);
  if (type === undefined || (host !== undefined && host.type !== type))
    throw new Fault(
      "invalid",
      `Cannot give the container ${device}: ${edit.hostPath ?? edit.path} is no such device on this host`,
    );
  const major = edit.major ?? host?.major ?? 0;
  const minor = edit.minor ?? host?.minor ?? 0;
  return {
    node: {
      path: edit.path,
      type,
      major,
      minor,
      fileMode: edit.fileMode ?? host?.fileMode ?? 0o660,
      uid: edit.uid ?? host?.uid ?? 0,
      gid: edit.gid ?? host?.gid ?? 0,
    },
    rule: type === "p" ? undefined : { allow: true, type, major, minor, access: edit.permissions || "rwm" },
  };
}

function hostNode(path: string) {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  const type = stat.isBlockDevice() ? "b" : stat.isCharacterDevice() ? "c" : stat.isFIFO() ? "p" : undefined;
  return {
    type,
    ...deviceNumbers(stat.rdev),
    fileMode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
  } as const;
}
