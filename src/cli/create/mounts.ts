import { resolve } from "node:path";
import type { MountBody } from "#client";
import { csvFields, sizeOf } from "./values.ts";

/** Binds (`source:target[:options]`) and anonymous volumes (`target`) among the values of `--volume`. A relative source is made absolute. */
export function volumesOf(
  specs: readonly string[],
  folder: string,
): { binds: string[]; anonymous: string[] } {
  const binds: string[] = [];
  const anonymous: string[] = [];
  for (const spec of specs) {
    const colon = spec.indexOf(":");
    if (colon < 0) anonymous.push(spec);
    else binds.push(spec.startsWith(".") ? resolve(folder, spec.slice(0, colon)) + spec.slice(colon) : spec);
  }
  return { binds, anonymous };
}

/** `--tmpfs /run:size=64m,mode=1777`: options by path. */
export function tmpfsOf(specs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    specs.map((spec) => {
      const colon = spec.indexOf(":");
      return colon < 0 ? [spec, ""] : [spec.slice(0, colon), spec.slice(colon + 1)];
    }),
  );
}

type Problem = { readonly problem: string };

const FLAG_KEYS = ["readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src"];

export function checkMount(text: string): string | undefined {
  const mount = mountOf(text, "/");
  return "problem" in mount ? mount.problem : undefined;
}

/** Reads `--mount type=bind,src=/a,dst=/b,readonly`; the message of a problem is docker's. */
export function mountOf(text: string, folder: string): MountBody | Problem {
  const mount: MountBody = { Type: "volume", Target: "" };
  for (const field of csvFields(text)) {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    if (equals < 0 && !FLAG_KEYS.includes(key))
      return { problem: `invalid field '${field}' must be a key=value pair` };
    const value = equals < 0 ? "true" : field.slice(equals + 1);
    const problem = setField(mount, { key, value, field, folder });
    if (problem !== undefined) return { problem };
  }
  const problem = mountProblem(mount);
  return problem === undefined ? mount : { problem };
}

interface Field {
  readonly key: string;
  readonly value: string;
  readonly field: string;
  readonly folder: string;
}

function setField(mount: MountBody, { key, value, field, folder }: Field): string | undefined {
  switch (key) {
    case "type":
      mount.Type = value.toLowerCase();
      return undefined;
    case "source":
    case "src":
      mount.Source = value.startsWith(".") ? resolve(folder, value) : value;
      return undefined;
    case "target":
    case "dst":
    case "destination":
      mount.Target = value;
      return undefined;
    case "consistency":
      mount.Consistency = value.toLowerCase();
      return undefined;
    case "readonly":
    case "ro":
      return flagged(key, value, (isOn) => {
        mount.ReadOnly = isOn;
      });
    default:
      return setOption(mount, { key, value, field, folder });
  }
}

function setOption(mount: MountBody, { key, value, field }: Field): string | undefined {
  const bind = () => (mount.BindOptions ??= {});
  const volume = () => (mount.VolumeOptions ??= {});
  const tmpfs = () => (mount.TmpfsOptions ??= {});
  const pair = () =>
    [value.split("=", 1)[0] ?? "", value.includes("=") ? value.slice(value.indexOf("=") + 1) : ""] as const;
  switch (key) {
    case "bind-propagation":
      bind().Propagation = value.toLowerCase();
      return undefined;
    case "bind-nonrecursive":
      return flagged(key, value, (isOn) => {
        bind().NonRecursive = isOn;
      });
    case "bind-create-src":
      return flagged(key, value, (isOn) => {
        bind().CreateMountpoint = isOn;
      });
    case "bind-recursive":
      return setRecursive(mount, value);
    case "volume-subpath":
      volume().Subpath = value;
      return undefined;
    case "image-subpath":
      mount.ImageOptions = { Subpath: value };
      return undefined;
    case "volume-nocopy":
      return flagged(key, value, (isOn) => {
        volume().NoCopy = isOn;
      });
    case "volume-label":
      volume().Labels = { ...volume().Labels, ...Object.fromEntries([pair()]) };
      return undefined;
    case "volume-driver":
      volume().DriverConfig = { ...volume().DriverConfig, Name: value };
      return undefined;
    case "volume-opt":
      volume().DriverConfig = {
        ...volume().DriverConfig,
        Options: { ...volume().DriverConfig?.Options, ...Object.fromEntries([pair()]) },
      };
      return undefined;
    case "tmpfs-size": {
      const size = sizeOf(value);
      tmpfs().SizeBytes = size ?? 0;
      return size === undefined ? `invalid value for ${key}: ${value}` : undefined;
    }
    case "tmpfs-mode":
      tmpfs().Mode = Number.parseInt(value, 8);
      return /^[0-7]{1,5}$/.test(value) ? undefined : `invalid value for ${key}: ${value}`;
    default:
      return `unexpected key '${key}' in '${field}'`;
  }
}

function setRecursive(mount: MountBody, value: string): string | undefined {
  mount.BindOptions ??= {};
  if (value === "disabled") mount.BindOptions.NonRecursive = true;
  else if (value === "writable") mount.BindOptions.ReadOnlyNonRecursive = true;
  else if (value === "readonly") mount.BindOptions.ReadOnlyForceRecursive = true;
  else if (value !== "enabled")
    return `invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", or "readonly")`;
  return undefined;
}

function flagged(key: string, value: string, set: (isOn: boolean) => void): string | undefined {
  const isOn = ["1", "true", "t", "True", "TRUE", "T"].includes(value);
  if (!isOn && !["0", "false", "f", "False", "FALSE", "F"].includes(value))
    return `invalid value for ${key}: ${value}`;
  set(isOn);
  return undefined;
}

function mountProblem(mount: MountBody): string | undefined {
  if (mount.Target === "") return "target is required";
  const mixed = (
    [
      ["VolumeOptions", "volume", "volume-*"],
      ["BindOptions", "bind", "bind-*"],
      ["TmpfsOptions", "tmpfs", "tmpfs-*"],
      ["ImageOptions", "image", "image-*"],
    ] as const
  ).find(([key, type]) => mount[key] !== undefined && mount.Type !== type);
  if (mixed !== undefined) return `cannot mix '${mixed[2]}' options with mount type '${mount.Type}'`;
  if (mount.BindOptions?.ReadOnlyNonRecursive && !mount.ReadOnly)
    return "option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction";
  return undefined;
}
