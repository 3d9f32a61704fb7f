import { Fault, sentenceOf } from "#errors";
import type { NetlinkStep } from "#oci";
import { parseAddress } from "./addresses.ts";
import { NOTHING_LEASED } from "./addressing.ts";
import { isDefaultBridge } from "./definitions.ts";
import type {
  EndpointRecord,
  EndpointRequest,
  Joined,
  LinkedHost,
  Network,
  NetworkDriver,
  PublishedPort,
  Sandbox,
  SandboxRequest,
  Way,
} from "./driver.ts";
import {
  chooseLinkName,
  type Exits,
  endpointOf,
  exitsOf,
  LINK_PREFIX_OPTION,
  portEndpointOf,
  reservationsOf,
  sysctlsOf,
} from "./endpoint.ts";
import { filesIn, writeFiles } from "./files.ts";
import { addAddress, bringLoopbackUp, setDefaultRoute } from "./netlink-steps.ts";
import { askerOf, fileFacts, type RoomParts } from "./parts.ts";
import type { Cursors, SandboxRecord } from "./store.ts";

/** An endpoint that is being made: what it was given is its own until `undo` is disposed. */
export interface Claimed {
  readonly network: Network;
  readonly driver: NetworkDriver;
  readonly record: EndpointRecord;
  readonly request: EndpointRequest;
  readonly cursors: Cursors;
}

const HOST_BINDING_OPTION = "com.docker.network.bridge.host_binding_ipv4";
const LINK_PREFIX = "veth";
const LINK_DIGITS = 8;
/** Of link-local addresses. Source: RFC 3927, section 2.1; RFC 4291, section 2.5.6. */
const LINK_LOCAL_BITS = { 4: 16, 6: 64 } as const;

/** What containers take for one start, and give back at its end. */
export class Sandboxes {
  readonly #parts: RoomParts;

  constructor(parts: RoomParts) {
    this.#parts = parts;
  }

  async prepare(request: SandboxRequest): Promise<Sandbox> {
    const { mode, containerId } = request;
    if (mode.kind === "container") return this.#share(mode);
    if (this.#parts.store.containers().includes(containerId)) await this.release(containerId);
    await using undo = new AsyncDisposableStack();
    const ports = mode.kind === "networks" ? this.#takePorts(request, undo) : [];
    const sandbox = sandboxOf(request, ports);
    const asked = mode.kind === "networks" ? request.endpoints : [bareRequest(mode.kind)];
    const claimed: Claimed[] = [];
    for (const one of asked) {
      const taken = claimed.map(({ record }) => record.endpoint.interfaceName);
      claimed.push(await this.claim({ sandbox, request: one, taken }, undo));
    }
    const carrying = withLinked(withPorts(claimed, ports), request.linkedHosts ?? []);
    const joined = await this.#join(carrying, undo);
    const made = this.#write(request, { sandbox, joined, ports });
    undo.move();
    return made;
  }

  #takePorts(request: SandboxRequest, undo: AsyncDisposableStack): readonly PublishedPort[] {
    const { containerId, name: containerName } = request;
    const { ports, firewall, settings } = this.#parts;
    const missing = settings.iptables && request.ports.length > 0 ? firewall.missing() : undefined;
    if (missing !== undefined)
      throw new Fault(
        "unsupported",
        `Cannot publish ports: ${missing}; install iptables, or start without ports`,
      );
    const taken = ports.take({ containerId, containerName }, request.ports, this.#bindingOf(request));
    undo.defer(() => ports.release(containerId, taken));
    return taken;
  }

  /** Where the network that will have the default route publishes ports that name no address. */
  #bindingOf({ endpoints }: SandboxRequest): string | undefined {
    const networks = endpoints.map((one) => ({ ...one, found: this.#parts.definitions.find(one.network) }));
    const [first] = networks.sort(
      (a, b) =>
        b.gatewayPriority - a.gatewayPriority || ((a.found?.name ?? "") < (b.found?.name ?? "") ? -1 : 1),
    );
    return first?.found?.options[HOST_BINDING_OPTION] || undefined;
  }

  /** An endpoint's addresses and names: nothing is made with them yet. Throws `not_found`, `conflict`, `invalid`. */
  async claim(
    job: {
      readonly sandbox: SandboxRecord;
      readonly request: EndpointRequest;
      /** Names of links that the container has. */
      readonly taken: readonly string[];
    },
    undo: AsyncDisposableStack,
  ): Promise<Claimed> {
    const { sandbox, request, taken } = job;
    const { definitions } = this.#parts;
    const driver = await definitions.usable(definitions.require(request.network));
    const network = definitions.require(request.network);
    const interfaceName = driver.isAddressed
      ? chooseLinkName(request, taken, network.options[LINK_PREFIX_OPTION] || undefined)
      : "";
    const lease = driver.isAddressed
      ? await this.#parts.addressing.lease(network, request, undo)
      : NOTHING_LEASED;
    const endpoint = endpointOf(network, askerOf(sandbox), {
      request,
      lease,
      interfaceName,
      leavesMac: driver.leavesMac === true,
    });
    const { containerId, containerName, directory } = sandbox;
    const record: EndpointRecord = {
      containerId,
      containerName,
      networkId: network.id,
      directory,
      link: interfaceName === "" ? "" : `${LINK_PREFIX}${endpoint.endpointId.slice(0, LINK_DIGITS)}`,
      endpoint,
      ports: [],
      links: request.links,
    };
    return { network, driver, record, request, cursors: lease.cursors };
  }

  async #join(
    claimed: readonly Claimed[],
    undo: AsyncDisposableStack,
  ): Promise<readonly (Claimed & { readonly joined: Joined })[]> {
    const all: (Claimed & { readonly joined: Joined })[] = [];
    for (const one of claimed) {
      const { network, driver, record } = one;
      undo.defer(() => this.close(network, record));
      const joined = await driver.join(network, record);
      all.push({ ...one, joined, record: withJoined(record, joined) });
    }
    return all;
  }

  /** What cannot be undone is logged: whoever asked is to read why it was undone. */
  async close(network: Network, record: EndpointRecord): Promise<void> {
    await this.#parts.definitions
      .driverOf(network)
      .close(network, record)
      .catch((error: unknown) =>
        this.#parts.log(
          "error",
          `Something of container ${record.containerId} may be left: ${sentenceOf(error)}`,
        ),
      );
  }

  /** Puts it on record, writes its files, and says what the launcher shall do. */
  #write(
    request: SandboxRequest,
    made: {
      readonly sandbox: SandboxRecord;
      readonly joined: readonly (Claimed & { readonly joined: Joined })[];
      readonly ports: readonly PublishedPort[];
    },
  ): Sandbox {
    const { sandbox, joined, ports } = made;
    const { store, names } = this.#parts;
    const { containerId, namespace } = sandbox;
    const records = joined.map(({ record }) => record);
    const cursors = Object.assign({}, ...joined.map((one) => one.cursors));
    const sysctls = joined.map((one) => ({ ...one.joined.sysctls, ...sysctlsOf(one.record.endpoint) }));
    store.put(records, { cursors, sandbox });
    try {
      writeFiles(request, fileFacts(this.#parts, containerId, namespace));
    } catch (error) {
      store.removeContainer(containerId);
      throw error;
    }
    return {
      namespace: { kind: namespace },
      links: namespace === "new" ? linksOf(joined) : [],
      sysctls: Object.assign({}, ...sysctls),
      files: filesIn(request.directory),
      // For its life: the ports may come to be carried by another endpoint, or again by one.
      reservations: this.#reservations(joined, ports),
      endpoints: records.map(({ endpoint }) => endpoint),
      ports: records.flatMap((record) => record.ports),
      open: () => this.#open(joined),
      enter: (holder) => names.enter(sandbox, holder),
      // Of a start that failed nothing shall be seen afterwards.
      [Symbol.asyncDispose]: async () => {
        await this.release(containerId);
        for (const { driver } of joined) await driver.settle();
      },
    };
  }

  /** As the network that carries the ports has them carried; where none does yet, as most would. */
  #reservations(joined: readonly Claimed[], ports: readonly PublishedPort[]): Sandbox["reservations"] {
    const { iptables, publishMode } = this.#parts.settings;
    const carrier = joined.find(({ record }) => record.ports.length > 0);
    if (carrier !== undefined)
      return reservationsOf(carrier.driver.carriage?.(carrier.network, carrier.record) ?? []);
    const isHeld = ({ hostAddress }: PublishedPort) =>
      !iptables || publishMode === "input" || hostAddress.includes(":");
    const carrierOf = { address: "", reach: "", carrier: "translation" } as const;
    return reservationsOf(ports.map((port) => ({ ...port, ...carrierOf, isHeld: isHeld(port) })));
  }

  async #open(joined: readonly Claimed[]): Promise<void> {
    for (const { network, driver, record } of joined)
      if (record.ports.length > 0 || record.linked !== undefined) await driver.open(network, record);
  }

  #share(other: { readonly id: string; readonly pid: number }): Sandbox {
    const sandbox = this.#parts.store.sandbox(other.id);
    if (sandbox === undefined)
      throw new Fault(
        "conflict",
        `Cannot join the network of container ${other.id.slice(0, 12)}: it is not running; start it first`,
      );
    return {
      namespace:
        sandbox.namespace === "host" ? { kind: "host" } : { kind: "path", path: `/proc/${other.pid}/ns/net` },
      links: [],
      sysctls: {},
      files: filesIn(sandbox.directory),
      reservations: [],
      endpoints: [],
      ports: [],
      open: async () => {},
      enter: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
  }

  async release(containerId: string): Promise<void> {
    const { store, definitions, names, ports } = this.#parts;
    names.leave(containerId);
    const records = store.ofContainer(containerId);
    const held = store.sandbox(containerId)?.ports ?? [];
    for (const record of records) await this.close(definitions.require(record.networkId), record);
    // Before its address can be another's.
    for (const record of records) await this.#unlink(record);
    for (const record of records) await this.free(record);
    ports.release(containerId, held);
    store.removeContainer(containerId);
    for (const { networkId } of records) await definitions.left(networkId);
  }

  /** What a running container may reach by its links from now on. */
  async relink(containerId: string, linked: readonly LinkedHost[]): Promise<void> {
    const { store, definitions } = this.#parts;
    const record = store.ofContainer(containerId).find(({ networkId }) => {
      const network = definitions.find(networkId);
      return network !== undefined && isDefaultBridge(network);
    });
    if (record === undefined) return;
    const network = definitions.require(record.networkId);
    const next = { ...record, linked };
    store.put([next]);
    await definitions.driverOf(network).relink?.(network, next);
  }

  /** Nobody's link leads to it any more. */
  async #unlink({ networkId, endpoint }: EndpointRecord): Promise<void> {
    const leadsHere = ({ address }: LinkedHost): boolean => address !== "" && address === endpoint.address;
    for (const { containerId, linked } of this.#parts.store.onNetwork(networkId))
      if (linked?.some(leadsHere) === true)
        await this.relink(
          containerId,
          linked.filter((host) => !leadsHere(host)),
        ).catch((error: unknown) =>
          this.#parts.log("error", `A link may still lead to ${endpoint.address}: ${sentenceOf(error)}`),
        );
  }

  /** Those of containers that ended while no daemon looked: whoever is no part of this engine is told. */
  async abandon(records: readonly EndpointRecord[]): Promise<void> {
    const { addressing, definitions } = this.#parts;
    for (const record of records) {
      const network = definitions.find(record.networkId);
      if (network === undefined) continue;
      if (definitions.driverOf(network).isForeign === true) await this.close(network, record);
      if (addressing.isForeign(network)) await this.free(record);
    }
  }

  /** Its addresses can be given to others. */
  async free({ networkId, endpoint }: EndpointRecord): Promise<void> {
    const { addressing, definitions, log } = this.#parts;
    await addressing
      .free(definitions.require(networkId), endpoint)
      .catch((error: unknown) => log("error", `An address may stay in use: ${sentenceOf(error)}`));
  }
}

function sandboxOf(request: SandboxRequest, ports: readonly PublishedPort[]): SandboxRecord {
  const { containerId, name, directory, hostname, domainname, dns, dnsSearch, dnsOptions, extraHosts } =
    request;
  return {
    containerId,
    containerName: name,
    directory,
    hostname,
    domainname,
    namespace: request.mode.kind === "host" ? "host" : "new",
    dns,
    dnsSearch,
    dnsOptions,
    extraHosts,
    ports,
  };
}

function bareRequest(network: string): EndpointRequest {
  return {
    network,
    aliases: [],
    links: [],
    linkLocalAddresses: [],
    gatewayPriority: 0,
    driverOptions: {},
  };
}

/** The ports go with the default route, if the driver there carries them. */
function withPorts(claimed: readonly Claimed[], ports: readonly PublishedPort[]): readonly Claimed[] {
  const carrier = portEndpointOf(claimed.map(({ record }) => record));
  return claimed.map((one) =>
    one.record === carrier && one.driver.carriesPorts ? { ...one, record: { ...one.record, ports } } : one,
  );
}

/** Links are the default bridge's; on other networks they are names. */
function withLinked(claimed: readonly Claimed[], linked: readonly LinkedHost[]): readonly Claimed[] {
  if (linked.length === 0) return claimed;
  return claimed.map((one) =>
    isDefaultBridge(one.network) ? { ...one, record: { ...one.record, linked } } : one,
  );
}

/** The record as its driver made it. */
export function withJoined(record: EndpointRecord, joined: Joined): EndpointRecord {
  return { ...record, way: wayOf(joined), endpoint: joined.endpoint ?? record.endpoint };
}

function wayOf({ gateway, ipv6Gateway, isGatewayOnLink }: Joined): Way {
  return {
    ...(gateway !== undefined && gateway !== "" && { gateway }),
    ...(ipv6Gateway !== undefined && ipv6Gateway !== "" && { ipv6Gateway }),
    ...(isGatewayOnLink !== undefined && { isGatewayOnLink }),
  };
}

function linksOf(joined: readonly (Claimed & { readonly joined: Joined })[]): readonly NetlinkStep[] {
  return [
    bringLoopbackUp(),
    ...joined.flatMap((one) => [...one.joined.links, ...linkLocalSteps(one)]),
    ...routeSteps(exitsOf(joined.map(({ record }) => record))),
  ];
}

/** Throws `invalid` for what is no address. */
export function linkLocalSteps({
  record,
  request,
}: Pick<Claimed, "record" | "request">): readonly NetlinkStep[] {
  return request.linkLocalAddresses.map((text) => {
    const address = parseAddress(text);
    if (address === undefined)
      throw new Fault("invalid", `invalid link-local IP address: "${text.slice(0, 100)}"`);
    const { interfaceName } = record.endpoint;
    const prefixLength = LINK_LOCAL_BITS[address.family];
    return addAddress({ link: interfaceName, netns: "child", address, prefixLength });
  });
}

export function routeSteps({ v4, v6 }: Exits): readonly NetlinkStep[] {
  return [
    ...(v4 === undefined ? [] : [defaultRoute(v4, 4, v4.way?.gateway)]),
    ...(v6 === undefined ? [] : [defaultRoute(v6, 6, v6.way?.ipv6Gateway)]),
  ];
}

function defaultRoute({ endpoint }: EndpointRecord, family: 4 | 6, gateway: string | undefined): NetlinkStep {
  return setDefaultRoute(endpoint.interfaceName, family, parseAddress(gateway ?? ""));
}
