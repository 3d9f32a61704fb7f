import { didYouMean, Fault } from "#errors";
import { MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REC } from "#host";

/** What is mounted where a volume's content is to be. */
export interface LocalMount {
  readonly type: string;
  readonly device: string;
  /** MS_* */
  readonly flags: number;
  /** What is left for the file system. */
  readonly options: readonly string[];
}

export interface LocalOptions {
  readonly mount?: LocalMount;
  /** The most that the volume's own folder may hold. */
  readonly sizeBytes?: number;
}

const KNOWN = ["type", "o", "device", "size"];
/** Source: Docker, the driver local: which option asks for which other. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  type: ["device"],
  device: ["type"],
  o: ["device", "type"],
};
const UNITS = "bkmgtp";
/** Source: Docker's sizes: a number, a unit, and `b` or `ib` after it. */
const SIZE = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])(?:i?b)?|b)?$/i;

type FlagWord = { readonly set: number } | { readonly clear: number };
/** Source: mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS"; mount(2). */
const FLAGS: Readonly<Record<string, FlagWord>> = {
  defaults: { set: 0 },
  ro: { set: MS_RDONLY },
  rw: { clear: MS_RDONLY },
  nosuid: { set: MS_NOSUID },
  suid: { clear: MS_NOSUID },
  nodev: { set: MS_NODEV },
  dev: { clear: MS_NODEV },
  noexec: { set: MS_NOEXEC },
  exec: { clear: MS_NOEXEC },
  sync: { set: 0x10 },
  async: { clear: 0x10 },
  mand: { set: 0x40 },
  nomand: { clear: 0x40 },
  dirsync: { set: 0x80 },
  noatime: { set: 0x400 },
  atime: { clear: 0x400 },
  nodiratime: { set: 0x800 },
  diratime: { clear: 0x800 },
  bind: { set: MS_BIND },
  rbind: { set: MS_BIND | MS_REC },
  relatime: { set: 0x200000 },
  norelatime: { clear: 0x200000 },
  strictatime: { set: 0x1000000 },
  nostrictatime: { clear: 0x1000000 },
  lazytime: { set: 0x2000000 },
};
/** Words for mount(8), which is not asked: the kernel would not know them. */
const IGNORED = ["loop", "_netdev", "nofail", "auto", "noauto", "user", "nouser"];

/** Throws `invalid`, in Docker's words where it has some. */
export function parseLocalOptions(options: Readonly<Record<string, string>>): LocalOptions {
  for (const key of Object.keys(options))
    if (!KNOWN.includes(key))
      throw new Fault(
        "invalid",
        `invalid option: ${JSON.stringify(key.slice(0, 80))}${didYouMean(key, KNOWN)}`,
      );
  const { type = "", device = "", o = "", size } = options;
  const sizeBytes = size === undefined ? 0 : parseSize(size);
  for (const [key, others] of Object.entries(NEEDED))
    for (const other of others)
      if (key in options && !(other in options))
        throw new Fault("invalid", `missing required option: "${other}"`);
  if (!("type" in options)) return sizeBytes === 0 ? {} : { sizeBytes };
  if (device === "") throw new Fault("invalid", "missing device in volume options");
  if (sizeBytes > 0)
    throw new Fault(
      "invalid",
      `The option "size" limits the folder of a volume, and this one is a mount of ${device}; give the limit to its file system, as in o=size=100m for tmpfs`,
    );
  return { mount: { type, device, ...sort(o.split(",")) } };
}

function sort(words: readonly string[]): Pick<LocalMount, "flags" | "options"> {
  let flags = 0;
  const options: string[] = [];
  for (const word of words) {
    const flag = Object.hasOwn(FLAGS, word) ? FLAGS[word] : undefined;
    if (flag !== undefined) flags = "set" in flag ? flags | flag.set : flags & ~flag.clear;
    else if (word !== "" && !IGNORED.includes(word)) options.push(word);
  }
  return { flags, options };
}

/** Bytes of `10G`, `1.5gb`, `512MiB`: units are powers of 1024. None is no limit. */
export function parseSize(text: string): number {
  const match = SIZE.exec(text.trim());
  if (match === null) throw new Fault("invalid", `invalid size: '${text.slice(0, 80)}'`);
  const [, number = "", unit = "b"] = match;
  const bytes = Math.floor(Number(number) * 1024 ** UNITS.indexOf(unit.toLowerCase()));
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new Fault("invalid", `invalid size: '${text.slice(0, 80)}' is more than can be counted`);
}
