import type { MountSpecRequest } from "#container";
import { didYouMean, Fault } from "#errors";
import { badMount } from "./binds.ts";

/** What a tmpfs may be told besides `key=value`. Source: docker run reference, `--tmpfs`; mount(8). */
const WORDS = new Set(
  `defaults ro rw suid nosuid dev nodev exec noexec sync async dirsync mand nomand atime noatime diratime nodiratime
   relatime norelatime strictatime nostrictatime`.split(/\s+/),
);
const KEYS = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"];
const VALUE = /^[A-Za-z0-9%:=.-]+$/;
const UNITS = [
  ["g", 2 ** 30],
  ["m", 2 ** 20],
  ["k", 2 ** 10],
] as const;

/** Throws `invalid`, in Docker's words, for what a tmpfs cannot be told. */
export function checkTmpfsOptions(text: string): string {
  for (const option of text.split(",")) {
    if (option === "" || WORDS.has(option)) continue;
    const [key = "", value] = option.split(/=(.*)/s, 2);
    if (value !== undefined && KEYS.includes(key) && VALUE.test(value)) continue;
    const said = value === undefined ? [key] : [key, value];
    const quoted = said.map((word) => JSON.stringify(word.slice(0, 200))).join(" ");
    throw new Fault("invalid", `invalid tmpfs option [${quoted}]${didYouMean(key, [...WORDS, ...KEYS])}`);
  }
  return text;
}

/** The options of a mount of type tmpfs, in Docker's order. Throws `invalid`. */
export function tmpfsOptions({ tmpfs, readonly }: MountSpecRequest): string {
  const { sizeBytes = 0, mode = 0, options = [] } = tmpfs ?? {};
  if (sizeBytes < 0) throw badMount("tmpfs", `the size ${sizeBytes} is negative`);
  if (mode < 0 || mode > 0o7777) throw badMount("tmpfs", `the mode ${mode} is none`);
  const words = [
    ...(readonly ? ["ro"] : []),
    ...(mode > 0 ? [`mode=${mode.toString(8)}`] : []),
    ...(sizeBytes > 0 ? [`size=${sizeText(sizeBytes)}`] : []),
    ...options.map(tmpfsWord),
  ];
  return words.join(",");
}

function tmpfsWord(option: readonly string[]): string {
  const [word = ""] = option;
  if (option.length < 1 || option.length > 2) throw badMount("tmpfs", "invalid option array length");
  if ((word === "exec" || word === "noexec") && option.length === 1) return word;
  throw badMount("tmpfs", `invalid option: ${word.slice(0, 200)}`);
}

/** By the largest unit that divides it. */
function sizeText(bytes: number): string {
  const [unit, factor] = UNITS.find(([, size]) => bytes % size === 0) ?? ["", 1];
  return `${bytes / factor}${unit}`;
}
