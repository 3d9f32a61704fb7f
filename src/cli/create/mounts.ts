import type { MountBody } from "#client";
import { didYouMean } from "#errors";
import { csvFields, sizeOf } from "./values.ts";

/** Whose files an `idmap` that names nobody makes: those of who runs the client. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
}

const caller = (): Caller => ({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });

/** What the container's root owns belongs to the caller on disk. */
const ownOwners = ({ uid, gid }: Caller) => `uids=${uid}-0-1;gids=${gid}-0-1`;

/**
 * Binds (`source:target[:options]`) and anonymous volumes (`target`) among the values of `--volume`. A relative source
 * is made absolute, and an `idmap` that names nobody names the caller.
 */
export function volumesOf(
  specs: readonly string[],
  folder: string,
  by = caller(),
): { binds: string[]; anonymous: string[] } {
  const binds: string[] = [];
  const anonymous: string[] = [];
  for (const spec of specs) {
    const [source = "", ...rest] = spec.split(":");
    if (rest.length === 0) anonymous.push(spec);
    else {
      const from = spec.startsWith(".") ? absolute(folder, source) : source;
      binds.push([from, ...rest.map((part, at) => (at === 1 ? withCaller(part, by) : part))].join(":"));
    }
  }
  return { binds, anonymous };
}

function withCaller(mode: string, by: Caller): string {
  return mode
    .split(",")
    .map((word) => (word === "idmap" ? `idmap=${ownOwners(by)}` : word))
    .join(",");
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

/** Those that may stand alone. */
const FLAG_KEYS = [
  "readonly",
  "ro",
  "volume-nocopy",
  "bind-nonrecursive",
  "bind-create-src",
  "bind-idmap",
  "idmap",
];
const KEYS = [
  ...FLAG_KEYS,
  "type",
  "source",
  "src",
  "target",
  "dst",
  "destination",
  "consistency",
  "image-subpath",
  "volume-subpath",
  "volume-label",
  "volume-driver",
  "volume-opt",
  "bind-propagation",
  "bind-recursive",
  "tmpfs-size",
  "tmpfs-mode",
  "tmpfs-opt",
];
const RECURSIVE = ["enabled", "disabled", "writable", "readonly"];

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
      return { problem: `invalid field '${field}' must be a key=value pair${didYouMean(key, FLAG_KEYS)}` };
    const value = equals < 0 ? "" : field.slice(equals + 1);
    const problem =
      spaced(field, value) ?? setField(mount, { key, value, field, folder, isBare: equals < 0 });
    if (problem !== undefined) return { problem };
  }
  const problem = mountProblem(mount);
  return problem === undefined ? mount : { problem };
}

/** Docker's client from 28.2 on takes no blanks around keys and values. */
function spaced(field: string, value: string): string | undefined {
  const [key = ""] = field.split("=", 1);
  if (key.trim() !== key)
    return `invalid option '${key.trim()}' in '${field}': option should not have whitespace`;
  if (field.includes("=") && value.trim() === "") return `invalid value for '${key}': value is empty`;
  if (value.trim() !== value)
    return `invalid value for '${key}' in '${field}': value should not have whitespace`;
  return undefined;
}

interface Field {
  readonly key: string;
  /** Empty when the key stands alone. */
  readonly value: string;
  readonly field: string;
  readonly folder: string;
  readonly isBare: boolean;
}

function setField(mount: MountBody, field: Field): string | undefined {
  const { key, value, folder } = field;
  switch (key) {
    case "type":
      mount.Type = value.toLowerCase();
      return undefined;
    case "source":
    case "src":
      mount.Source = value.startsWith(".") ? absolute(folder, value) : value;
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
      return flagged(field, (isOn) => {
        mount.ReadOnly = isOn;
      });
    case "image-subpath":
      mount.ImageOptions = { Subpath: value };
      return undefined;
    default:
      return key.startsWith("volume-") ? setVolumeOption(mount, field) : setOption(mount, field);
  }
}

function setVolumeOption(mount: MountBody, field: Field): string | undefined {
  const { key, value } = field;
  const volume = mount.VolumeOptions ?? {};
  mount.VolumeOptions = volume;
  const pair = () =>
    [value.split("=", 1)[0] ?? "", value.includes("=") ? value.slice(value.indexOf("=") + 1) : ""] as const;
  switch (key) {
    case "volume-subpath":
      volume.Subpath = value;
      return undefined;
    case "volume-nocopy":
      return flagged(field, (isOn) => {
        volume.NoCopy = isOn;
      });
    case "volume-label":
      volume.Labels = { ...volume.Labels, ...Object.fromEntries([pair()]) };
      return undefined;
    case "volume-driver":
      volume.DriverConfig = { ...volume.DriverConfig, Name: value };
      return undefined;
    case "volume-opt":
      volume.DriverConfig = {
        ...volume.DriverConfig,
        Options: { ...volume.DriverConfig?.Options, ...Object.fromEntries([pair()]) },
      };
      return undefined;
    default:
      return unexpected(field);
  }
}

const unexpected = ({ key, field }: Field) => `unexpected key '${key}' in '${field}'${didYouMean(key, KEYS)}`;

function setOption(mount: MountBody, field: Field): string | undefined {
  const { key, value } = field;
  const bind = () => (mount.BindOptions ??= {});
  const tmpfs = () => (mount.TmpfsOptions ??= {});
  switch (key) {
    case "bind-propagation":
      bind().Propagation = value.toLowerCase();
      return undefined;
    case "bind-nonrecursive":
      return flagged(field, (isOn) => {
        bind().NonRecursive = isOn;
      });
    case "bind-create-src":
      return flagged(field, (isOn) => {
        bind().CreateMountpoint = isOn;
      });
    case "bind-recursive":
      return setRecursive(mount, value);
    case "idmap":
      bind().IdMap = value || ownOwners(caller());
      return undefined;
    case "bind-idmap":
      return setIdMapping(bind(), value);
    case "tmpfs-size": {
      const size = sizeOf(value);
      tmpfs().SizeBytes = size ?? 0;
      return size === undefined ? `invalid value for ${key}: ${value}` : undefined;
    }
    case "tmpfs-mode":
      tmpfs().Mode = Number.parseInt(value, 8);
      return /^[0-7]{1,5}$/.test(value) ? undefined : `invalid value for ${key}: ${value}`;
    case "tmpfs-opt":
      tmpfs().Options = [...(tmpfs().Options ?? []), value.split(/=(.*)/s, 2)];
      return undefined;
    default:
      return unexpected(field);
  }
}

/** `match-user`, `match-user:USER` or `userns`; nothing is the first. */
function setIdMapping(bind: NonNullable<MountBody["BindOptions"]>, value: string): string | undefined {
  const [source = "", user] = value.split(/:(.*)/s, 2);
  const bad = (why: string) => `invalid value for 'bind-idmap': "${value}" (${why})`;
  if (source !== "" && source !== "match-user" && source !== "userns")
    return bad(`must be "match-user", "match-user:USER", or "userns"`);
  if (user === "") return bad(`empty user after "match-user:"`);
  if (source === "userns" && user !== undefined) return bad(`"userns" does not take a user`);
  bind.IDMapping = { Source: source || "match-user", ...(user !== undefined && { User: user }) };
  return undefined;
}

function setRecursive(mount: MountBody, value: string): string | undefined {
  if (value === "enabled") return undefined;
  mount.BindOptions ??= {};
  if (value === "disabled") mount.BindOptions.NonRecursive = true;
  else if (value === "writable") mount.BindOptions.ReadOnlyNonRecursive = true;
  else if (value === "readonly") mount.BindOptions.ReadOnlyForceRecursive = true;
  else
    return `invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", or "readonly")${didYouMean(value, RECURSIVE)}`;
  return undefined;
}

function flagged({ key, value, isBare }: Field, set: (isOn: boolean) => void): string | undefined {
  const isOn = isBare || ["1", "true", "t", "True", "TRUE", "T"].includes(value);
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
  if (mount.BindOptions?.ReadOnlyForceRecursive && !mount.ReadOnly)
    return "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction";
  if (mount.BindOptions?.ReadOnlyForceRecursive && mount.BindOptions.Propagation !== "rprivate")
    return "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction";
  return undefined;
}

/** node:path is loaded for those alone who mount something. */
function absolute(folder: string, path: string): string {
  return process.getBuiltinModule("node:path").resolve(folder, path);
}
