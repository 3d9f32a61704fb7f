import { constants } from "node:os";
import { Fault } from "#errors";
import { errnoName, type HostPort, listBoundSockets, readSysctl, tryBind } from "#host";
import { addressBytes, canonicalAddress, parseAddress } from "./addresses.ts";
import type { PortRequest, PublishedPort } from "./driver.ts";
import { type HeldPort, isInTheWay, portHolder } from "./port-holder.ts";

/** When the kernel does not say: what it ships with. */
const EPHEMERAL = { first: 32768, last: 60999 };

export interface PortOwner {
  readonly containerId: string;
  readonly containerName: string;
}

/** The host's ports: which container has which, and which is free. What is held is told by the endpoint records. */
export class PortTable {
  /** Address of hosts' ports that are given without being asked for by address: `0.0.0.0` stands for `::` too. */
  readonly #defaultAddress: string;
  readonly #hasIpv6: boolean;
  /** `tcp/8020` → who has it on which address. */
  readonly #held = new Map<string, (PortOwner & { readonly hostAddress: string })[]>();
  #lastEphemeral = 0;

  constructor({ defaultAddress, hasIpv6 }: { defaultAddress: string; hasIpv6: boolean }) {
    this.#defaultAddress = defaultAddress;
    this.#hasIpv6 = hasIpv6;
  }

  hold(owner: PortOwner, ports: readonly PublishedPort[]): void {
    for (const { protocol, hostPort, hostAddress } of ports) {
      const key = `${protocol}/${hostPort}`;
      const { containerId, containerName } = owner;
      const holders = [...(this.#held.get(key) ?? []), { containerId, containerName, hostAddress }];
      this.#held.set(key, holders);
    }
  }

  release(containerId: string, ports: readonly PublishedPort[]): void {
    for (const { protocol, hostPort } of ports) {
      const key = `${protocol}/${hostPort}`;
      const others = (this.#held.get(key) ?? []).filter((holder) => holder.containerId !== containerId);
      if (others.length > 0) this.#held.set(key, others);
      else this.#held.delete(key);
    }
  }

  /**
   * A host port for each request, held for the owner. All or none. Throws `conflict` naming who has one that was
   * asked for, `invalid` for an address that is not this host's. `defaultAddress`: of those that name none.
   */
  take(
    owner: PortOwner,
    requests: readonly PortRequest[],
    defaultAddress = this.#defaultAddress,
  ): readonly PublishedPort[] {
    const taken: PublishedPort[] = [];
    try {
      for (const request of requests) {
        const ports = this.#choose(request, defaultAddress);
        this.hold(owner, ports);
        taken.push(...ports);
      }
    } catch (error) {
      this.release(owner.containerId, taken);
      throw error;
    }
    return taken;
  }

  /** One row for each address that the port is published on. */
  #choose(request: PortRequest, defaultAddress: string): PublishedPort[] {
    const { containerPort, protocol } = request;
    const addresses = this.#addresses(request, defaultAddress);
    const rows = (hostPort: number): PublishedPort[] =>
      addresses.map((hostAddress) => ({ containerPort, protocol, hostAddress, hostPort }));
    if (request.hostPort === 0) return this.#chooseEphemeral(rows);
    for (let port = request.hostPort; port <= request.hostPortEnd; port += 1)
      if (rows(port).every((row) => this.#isFree(row))) return rows(port);
    const refused = rows(request.hostPort).find((row) => !this.#isFree(row)) ?? rows(request.hostPort)[0];
    throw this.conflict(
      refused ?? { protocol, hostAddress: request.hostAddress, hostPort: request.hostPort },
    );
  }

  /** In turn, so that a port just given back is given again last. */
  #chooseEphemeral(rows: (hostPort: number) => PublishedPort[]): PublishedPort[] {
    const { first, last } = ephemeralRange();
    for (let tried = first; tried <= last; tried += 1) {
      const next = this.#lastEphemeral + 1;
      this.#lastEphemeral = next < first || next > last ? first : next;
      const ports = rows(this.#lastEphemeral);
      if (ports.every((row) => this.#isFree(row))) return ports;
    }
    throw new Fault(
      "unavailable",
      `Cannot choose a host port: all ports from ${first} to ${last} are already allocated`,
    );
  }

  #addresses({ hostAddress: asked, protocol }: PortRequest, defaultAddress: string): string[] {
    const address = asked === "" ? defaultAddress : asked;
    if (asked === "" && ["", "0.0.0.0"].includes(address))
      // Nothing relays SCTP.
      return this.#hasIpv6 && protocol !== "sctp" ? ["0.0.0.0", "::"] : ["0.0.0.0"];
    const canonical = canonicalAddress(address);
    if (canonical === undefined)
      throw new Fault("invalid", `Cannot publish a port on ${address}: it is not an IP address`);
    return [canonical];
  }

  #isFree(row: PublishedPort): boolean {
    if (this.#holder(row) !== undefined) return false;
    const address = parseAddress(row.hostAddress);
    if (address === undefined) return false;
    const wanted = { protocol: row.protocol, bytes: addressBytes(address), port: row.hostPort };
    const errno = tryBind(wanted);
    if (errno === constants.errno.EADDRINUSE) return isOnlyLinger(row, wanted);
    if (errno === 0) return true;
    throw new Fault(
      "invalid",
      errno === constants.errno.EADDRNOTAVAIL
        ? `Cannot publish a port on ${row.hostAddress}: no interface of this host has that address`
        : `Cannot publish ${row.hostAddress}:${row.hostPort}: the kernel says ${errnoName(errno)}`,
    );
  }

  #holder({ protocol, hostPort, hostAddress }: HeldPort): string | undefined {
    const wildcard = hostAddress.includes(":") ? "::" : "0.0.0.0";
    const inTheWay = (other: string): boolean =>
      other.includes(":") === hostAddress.includes(":") &&
      (other === hostAddress || other === wildcard || hostAddress === wildcard);
    const found = this.#held.get(`${protocol}/${hostPort}`)?.find((holder) => inTheWay(holder.hostAddress));
    return found === undefined ? undefined : `the container ${found.containerName.replace(/^\//, "")}`;
  }

  conflict(port: HeldPort): Fault {
    return portInUse(port, this.#holder(port) ?? processOf(port));
  }
}

/** The connections of a server that has gone linger for a minute: they do not make the port another's. */
function isOnlyLinger({ protocol, hostAddress, hostPort }: PublishedPort, wanted: HostPort): boolean {
  if (protocol !== "tcp" || tryBind(wanted, true) !== 0) return false;
  return !listBoundSockets(protocol).some((socket) =>
    isInTheWay(socket, { protocol, hostAddress, hostPort }),
  );
}

function processOf(port: HeldPort): string {
  const found = portHolder(port);
  return found === undefined ? "another program, which could not be found," : `the process ${found}`;
}

/** Docker's words, and who it is: a process, unless the caller knows better. */
export function portInUse(port: HeldPort, holder = processOf(port)): Fault {
  const { hostAddress, hostPort, protocol } = port;
  const shown = hostAddress.includes(":") ? `[${hostAddress}]` : hostAddress;
  return new Fault(
    "conflict",
    `Bind for ${shown}:${hostPort} failed: port is already allocated: ${holder} has ${protocol} port ${hostPort}; stop it or publish on another port`,
  );
}

function ephemeralRange(): { first: number; last: number } {
  const [first, last] = (readSysctl("net/ipv4/ip_local_port_range") ?? "").split(/\s+/).map(Number);
  return first && last ? { first, last } : EPHEMERAL;
}
