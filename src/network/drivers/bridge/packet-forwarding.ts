import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { sentenceOf } from "#errors";
import { type Log, listLinks, type Netlink, readSysctl, writeSysctl } from "#host";

type Family = 4 | 6;

/** What turns forwarding on, for all links. */
const KEYS: Readonly<Record<Family, readonly string[]>> = {
  4: ["net/ipv4/ip_forward"],
  6: ["net/ipv6/conf/default/forwarding", "net/ipv6/conf/all/forwarding"],
};
/** Links that other engines forward for. */
const OTHERS_KINDS = ["bridge", "macvlan", "ipvlan", "vxlan", "wireguard", "tun"];

interface ForwardingOptions {
  /** Says which families this daemon turned on, so that it knows after a crash; it goes with a restart of the host, as they do. */
  readonly notePath: string;
  readonly netlink: Netlink;
  readonly log: Log;
}

/** Turns the host into a router where it is none, and back. */
export class PacketForwarding {
  readonly #options: ForwardingOptions;
  readonly #own = new Set<Family>();

  constructor(options: ForwardingOptions) {
    this.#options = options;
    for (const family of readNote(options.notePath)) this.#own.add(family);
  }

  /** Families that were not forwarded before this daemon asked for it. */
  get own(): readonly Family[] {
    return [...this.#own].filter((family) => KEYS[family].every((key) => readSysctl(key) === "1"));
  }

  /** A host that cannot is said once, and goes on. */
  turnOn(family: Family): void {
    const { log } = this.#options;
    if (KEYS[family].every((key) => readSysctl(key) === "1")) return;
    try {
      this.#own.add(family);
      this.#writeNote();
      if (family === 6) keepListening();
      for (const key of KEYS[family]) writeSysctl(key, "1");
    } catch (error) {
      this.#own.delete(family);
      this.#writeNote();
      log("warn", `Containers reach no other host by IPv${family}: ${sentenceOf(error)}`);
    }
  }

  /** What this daemon turned on, unless others may rely on it by now. Returns what was turned off. */
  turnOff(): readonly Family[] {
    const families = this.own;
    const isShared = listLinks(this.#options.netlink).some(({ kind }) => OTHERS_KINDS.includes(kind));
    if (families.length === 0 || isShared) return [];
    for (const family of families) for (const key of KEYS[family]) writeSysctl(key, "0");
    this.#own.clear();
    this.#writeNote();
    return families;
  }

  #writeNote(): void {
    const { notePath } = this.#options;
    mkdirSync(dirname(notePath), { recursive: true });
    if (this.#own.size === 0) rmSync(notePath, { force: true });
    else writeFileSync(notePath, `${[...this.#own].join("\n")}\n`);
  }
}

function readNote(path: string): Family[] {
  if (!existsSync(path)) return [];
  const words = readFileSync(path, "utf8").split("\n");
  return ([4, 6] as const).filter((family) => words.includes(String(family)));
}

/** A router does not listen to other routers unless it is told to: without this the host would lose its own way out. */
function keepListening(): void {
  const folder = "/proc/sys/net/ipv6/conf";
  for (const link of readdirSync(folder)) {
    const key = `net/ipv6/conf/${link}/accept_ra`;
    const isForwarding = readSysctl(`net/ipv6/conf/${link}/forwarding`) === "1";
    if (link !== "all" && link !== "default" && !isForwarding && readSysctl(key) === "1")
      writeSysctl(key, "2");
  }
}
