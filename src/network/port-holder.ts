import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { addressBytes, type IpAddress, parseAddress } from "./addresses.ts";

/** Of /proc/net/tcp: the socket listens. UDP sockets that are bound and not connected have state 07. */
const LISTENING = "0A";
const UNCONNECTED = "07";

export interface HeldPort {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly hostAddress: string;
  readonly hostPort: number;
}

/** `nginx (pid 812)`: the process of this host that has a socket there, or undefined when none is to be seen. */
export function portHolder({ protocol, hostAddress, hostPort }: HeldPort): string | undefined {
  const wanted = parseAddress(hostAddress);
  if (protocol === "sctp" || wanted === undefined) return undefined;
  const inodes = [protocol, `${protocol}6`].flatMap((file) =>
    findSockets(readText(`/proc/net/${file}`), { address: wanted, port: hostPort }),
  );
  for (const inode of inodes) {
    const pid = ownerOf(`socket:[${inode}]`);
    if (pid !== undefined) return `${readText(`/proc/${pid}/comm`).trim()} (pid ${pid})`;
  }
  return undefined;
}

/** Inodes of sockets that are in the way of binding there. Format: proc(5), /proc/net/tcp. */
export function findSockets(table: string, wanted: { address: IpAddress; port: number }): string[] {
  return table.split("\n").flatMap((line) => {
    const [, local = "", , state = "", , , , , , inode = ""] = line.trim().split(/\s+/);
    const [hex = "", port = ""] = local.split(":");
    if (state !== LISTENING && state !== UNCONNECTED) return [];
    if (Number.parseInt(port, 16) !== wanted.port) return [];
    return isInTheWay(hex, wanted.address) ? [inode] : [];
  });
}

/** Equal, or one of both is the wildcard; the wildcard of IPv6 may stand for IPv4 too. */
function isInTheWay(hex: string, wanted: IpAddress): boolean {
  if (/^0*$/.test(hex)) return hex.length === 32 || wanted.family === 4;
  if (wanted.value === 0n) return hex.length === (wanted.family === 4 ? 8 : 32);
  return hex.toUpperCase() === kernelHex(wanted);
}

/** As the kernel prints an address: 32-bit words, each in the machine's (little endian) order. */
function kernelHex(address: IpAddress): string {
  const bytes = addressBytes(address);
  const words = Array.from({ length: bytes.length / 4 }, (_, index) => bytes.slice(4 * index, 4 * index + 4));
  return words
    .map((word) => Array.from(word.reverse(), (byte) => byte.toString(16).padStart(2, "0")).join(""))
    .join("")
    .toUpperCase();
}

function ownerOf(link: string): string | undefined {
  for (const pid of readdirSync("/proc")) {
    if (!/^[0-9]+$/.test(pid)) continue;
    try {
      for (const descriptor of readdirSync(`/proc/${pid}/fd`))
        if (readlinkSync(`/proc/${pid}/fd/${descriptor}`) === link) return pid;
    } catch {
      // It has ended meanwhile.
    }
  }
  return undefined;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
