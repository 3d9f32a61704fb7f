import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type BoundSocket, listBoundSockets } from "#host";
import { addressOf, parseAddress } from "./addresses.ts";

export interface HeldPort {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly hostAddress: string;
  readonly hostPort: number;
}

/** `nginx (pid 812)`: the process of this host that has a socket there, or undefined when none is to be seen. */
export function portHolder(port: HeldPort): string | undefined {
  if (port.protocol === "sctp") return undefined;
  for (const socket of listBoundSockets(port.protocol)) {
    if (!isInTheWay(socket, port)) continue;
    const pid = ownerOf(`socket:[${socket.inode}]`);
    if (pid !== undefined) return `${nameOf(pid)} (pid ${pid})`;
  }
  return undefined;
}

/** The same port, and the same address or one of both the wildcard; IPv6's wildcard may stand for IPv4 too. */
export function isInTheWay({ bytes, port }: BoundSocket, wanted: HeldPort): boolean {
  const address = parseAddress(wanted.hostAddress);
  if (address === undefined || port !== wanted.hostPort) return false;
  const held = addressOf(bytes);
  if (held.family === 6 && held.value === 0n) return true;
  if (held.family !== address.family) return false;
  return held.value === 0n || address.value === 0n || held.value === address.value;
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

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "one that has just ended";
  }
}
