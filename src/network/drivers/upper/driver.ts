import { didYouMean, Fault } from "#errors";
import { findLink, readSysctl } from "#host";
import { parseAddress } from "../../addresses.ts";
import type { EndpointRecord, Joined, Network, NetworkDriver, NetworkHost } from "../../driver.ts";
import { addAddress } from "../../steps/addresses.ts";
import { bringUp } from "../../steps/links.ts";
import { knowsLinkKind, makeUpperLink, type UpperKind } from "../../steps/upper-links.ts";
import { LeavingAddresses } from "./leaving.ts";
import { admitParent, dropParents, PARENT, raiseParent } from "./parents.ts";

export const MTU = "com.docker.network.driver.mtu";
const MAX_MTU = 65_535;

/** What tells one kind of upper link from another. */
export interface UpperStyle {
  readonly kind: UpperKind["kind"];
  /** The options it has besides parent and MTU. */
  readonly options: readonly string[];
  /** Throws `invalid` for an option's value that is none. */
  upperOf(network: Network): UpperKind;
  /** Why both cannot stand on one parent; undefined when they can. The other one may be of another kind. */
  clash(network: Network, other: Network): string | undefined;
  /** Whether the way out needs no router's address. */
  isGatewayOnLink(network: Network): boolean;
  readonly hasOwnMac: boolean;
}

/**
 * Containers with links over one of the host's: they are neighbours of the host's neighbours, and the host itself does
 * not reach them. The link is born in the container's namespace and ends with it; all that is on the host is the parent.
 */
export class UpperDriver implements NetworkDriver {
  readonly namespace = "new";
  readonly isAddressed = true;
  readonly carriesPorts = false;
  readonly #host: NetworkHost;
  readonly #style: UpperStyle;
  readonly #networks = new Map<string, Network>();
  readonly #leaving: LeavingAddresses;

  constructor(host: NetworkHost, style: UpperStyle) {
    this.#leaving = new LeavingAddresses(host.netlink);
    this.#host = host;
    this.#style = style;
  }

  admit(network: Network, others: readonly Network[]): Network {
    const { kind, options } = this.#style;
    const known = [PARENT, MTU, ...options];
    const unknown = Object.keys(network.options).find((key) => !known.includes(key));
    if (unknown !== undefined)
      throw new Fault(
        "invalid",
        `Cannot use the option ${unknown}: ${kind} networks have ${known.join(", ")}${didYouMean(unknown, known)}`,
      );
    if (!knowsLinkKind(this.#host.netlink, kind))
      throw new Fault(
        "unsupported",
        `Cannot make the network ${network.name}: this kernel has no ${kind} links`,
      );
    this.#style.upperOf(network);
    mtuOf(network);
    const admitted = admitParent(this.#host, network);
    for (const other of others) {
      if (other.options[PARENT] !== admitted.options[PARENT]) continue;
      const reason = this.#style.clash(admitted, other);
      if (reason !== undefined)
        throw new Fault(
          "conflict",
          `network ${other.name} is already using parent interface ${admitted.options[PARENT]}: ${reason}`,
        );
    }
    return admitted;
  }

  async setUp(network: Network): Promise<Network> {
    raiseParent(this.#host, network);
    this.#networks.set(network.id, network);
    return network;
  }

  async restored(): Promise<void> {
    dropParents(this.#host, this.#networks.values());
  }

  async tearDown(network: Network): Promise<void> {
    this.#networks.delete(network.id);
    dropParents(this.#host, this.#networks.values());
  }

  async join(network: Network, { endpoint }: EndpointRecord): Promise<Joined> {
    const { interfaceName: name } = endpoint;
    const parent = network.options[PARENT] ?? "";
    if (findLink(this.#host.netlink, parent) === undefined) raiseParent(this.#host, network);
    const addresses = [
      { text: endpoint.address, prefixLength: endpoint.prefixLength },
      { text: endpoint.ipv6Address, prefixLength: endpoint.ipv6PrefixLength },
    ].flatMap(({ text, prefixLength }) => {
      const address = parseAddress(text);
      return address === undefined ? [] : [addAddress({ link: name, netns: "child", address, prefixLength })];
    });
    const upper = this.#style.upperOf(network);
    await this.#leaving.whenFree({ parent, upper, endpoint });
    const macAddress = this.#style.hasOwnMac ? endpoint.macAddress : "";
    return {
      links: [
        makeUpperLink({ upper, parent, name, macAddress, mtu: mtuOf(network) }),
        ...addresses,
        bringUp(name),
      ],
      sysctls: endpoint.ipv6Address === "" ? ipv6Off(name) : {},
      ...(network.isInternal ? {} : this.#wayOut(network, endpoint)),
    };
  }

  #wayOut(network: Network, { gateway, ipv6Gateway }: EndpointRecord["endpoint"]): Partial<Joined> {
    if (this.#style.isGatewayOnLink(network)) return { isGatewayOnLink: true };
    return { ...(gateway !== "" && { gateway }), ...(ipv6Gateway !== "" && { ipv6Gateway }) };
  }

  /** No host port leads to such a container: its own address is reached by its neighbours. */
  async open(): Promise<void> {}
  async shut(): Promise<void> {}
  /** The kernel removes the link with the container's namespace. */
  async close(network: Network, { endpoint }: EndpointRecord): Promise<void> {
    const upper = this.#style.upperOf(network);
    this.#leaving.note({ parent: network.options[PARENT] ?? "", upper, endpoint });
  }

  async settle(): Promise<void> {}
}

/** 0: the parent's. */
function mtuOf({ options }: Network): number {
  const text = options[MTU];
  if (text === undefined) return 0;
  const mtu = Number(text);
  if (/^\d+$/.test(text) && mtu >= 68 && mtu <= MAX_MTU) return mtu;
  throw new Fault(
    "invalid",
    `Cannot use the option ${MTU}=${text}: it is a number of bytes from 68 to ${MAX_MTU}`,
  );
}

/** Nobody's router advertisements give an address to a container that shall have none. */
export function ipv6Off(link: string): Readonly<Record<string, string>> {
  if (readSysctl("net/ipv6/conf/default/disable_ipv6") === undefined) return {};
  return { "net.ipv6.conf.default.disable_ipv6": "1", [`net.ipv6.conf.${link}.disable_ipv6`]: "1" };
}
