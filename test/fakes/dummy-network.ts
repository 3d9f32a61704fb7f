import { NetlinkMessage } from "#host";
import type {
  EndpointRecord,
  Joined,
  Network,
  NetworkCatalog,
  NetworkDriver,
  NetworkDriverKind,
} from "#network";
import type { NetlinkStep } from "#oci";
import { parseAddress } from "../../src/network/addresses.ts";
import { addAddress, bringUp } from "../../src/network/netlink-steps.ts";
import {
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  linkBody,
  MAKE,
  RTM_NEWLINK,
  step,
  textBytes,
} from "../../src/network/steps/step.ts";

const VETH_INFO_PEER = 1;

const peerOf = (link: string): string => `peer-${link}`;

/** Both ends in the container. */
function makePair(link: string): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, MAKE);
  linkBody(message);
  message.text(IFLA_IFNAME, link);
  message.nested(IFLA_LINKINFO, () => {
    message.attribute(IFLA_INFO_KIND, textBytes("veth"));
    message.nested(IFLA_INFO_DATA, () =>
      message.nested(VETH_INFO_PEER, () => {
        linkBody(message);
        message.text(IFLA_IFNAME, peerOf(link));
      }),
    );
  });
  return step(message, { netns: "child", purpose: `make ${link}` });
}

/** Gives containers a real link that leads nowhere, writes down what it is told, and fails when asked to. */
export class DummyNetworks implements NetworkDriver {
  readonly namespace = "new";
  readonly isAddressed = true;
  readonly carriesPorts = true;
  readonly told: string[] = [];
  /** What a driver whose networks other hosts share tells the room. */
  catalog!: NetworkCatalog;
  /** Called before each verb: what it throws is the driver's failure. */
  before: (verb: string) => void | Promise<void> = () => {};

  readonly kind: NetworkDriverKind = {
    name: "dummy",
    probe: () => ({ usable: true }),
    open: (host) => {
      this.catalog = host.catalog;
      return this;
    },
  };

  admit(network: Network): Network {
    return network;
  }

  async setUp(network: Network): Promise<Network> {
    await this.#tell("setUp", network.name);
    return network;
  }

  async tearDown(network: Network): Promise<void> {
    await this.#tell("tearDown", network.name);
  }

  async join({ name, isInternal }: Network, { endpoint }: EndpointRecord): Promise<Joined> {
    await this.#tell("join", name);
    const { interfaceName: link, gateway, ipv6Gateway } = endpoint;
    const addresses = [
      [endpoint.address, endpoint.prefixLength] as const,
      [endpoint.ipv6Address, endpoint.ipv6PrefixLength] as const,
    ].flatMap(([text, prefixLength]) => {
      const address = parseAddress(text);
      return address === undefined ? [] : [addAddress({ link, netns: "child", address, prefixLength })];
    });
    return {
      links: [makePair(link), ...addresses, bringUp(link), bringUp(peerOf(link))],
      sysctls: {},
      ...(!isInternal && gateway !== "" && { gateway }),
      ...(!isInternal && ipv6Gateway !== "" && { ipv6Gateway }),
    };
  }

  async open({ name }: Network, { ports }: EndpointRecord): Promise<void> {
    await this.#tell("open", `${name} ${ports.map(({ hostPort }) => hostPort).join()}`);
  }

  async shut({ name }: Network): Promise<void> {
    await this.#tell("shut", name);
  }

  async close({ name }: Network): Promise<void> {
    await this.#tell("close", name);
  }

  async settle(): Promise<void> {}

  async #tell(verb: string, what: string): Promise<void> {
    await this.before(verb);
    this.told.push(`${verb} ${what}`);
  }
}
