import { Fault } from "#errors";
import {
  inNetworkNamespace,
  NETLINK_NETFILTER,
  Netlink,
  NetlinkMessage,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_REQUEST,
} from "#host";
import { addressBytes, parseAddress } from "../addresses.ts";
import type { Ports } from "./listener.ts";
import { EMBEDDED_SERVER } from "./upstream.ts";

/** linux/netfilter/nfnetlink.h and nf_tables.h. */
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFNL_SUBSYS_NFTABLES = 10;
const message = (number: number): number => (NFNL_SUBSYS_NFTABLES << 8) | number;
const NFT_MSG = { newTable: message(0), deleteTable: message(2), newChain: message(3), newRule: message(6) };
const NFTA_TABLE_NAME = 1;
const NFTA_CHAIN = { table: 1, name: 3, hook: 4, type: 7 };
const NFTA_HOOK = { number: 1, priority: 2 };
const NFTA_RULE = { table: 1, chain: 2, expressions: 4 };
const NFTA_LIST_ELEM = 1;
const NFTA_EXPR = { name: 1, data: 2 };
const NFTA_PAYLOAD = { register: 1, base: 2, offset: 3, length: 4 };
const NFTA_META = { register: 1, key: 2 };
const NFTA_CMP = { register: 1, operator: 2, data: 3 };
const NFTA_IMMEDIATE = { register: 1, data: 2 };
const NFTA_DATA_VALUE = 1;
const NFTA_NAT = { type: 1, family: 2, address: 3, port: 5 };
const NFT_PAYLOAD = { networkHeader: 1, transportHeader: 2 };
const NFT_META_L4PROTO = 16;
const NFT_CMP_EQ = 0;
const NFT_NAT_DNAT = 1;
const REGISTER = { first: 1, second: 2 };
const NFPROTO_IPV4 = 2;
const NF_INET_LOCAL_OUT = 3;
/** As iptables' own. Source: NF_IP_PRI_NAT_DST in linux/netfilter_ipv4.h. */
const PRIORITY = -100;
/** Where the destination stands in an IPv4 header, and the port in those of UDP and TCP. */
const DESTINATION_OFFSET = 16;
const PORT_OFFSET = 2;
const IPPROTO = { udp: 17, tcp: 6 } as const;
const DNS_PORT = 53;

const TABLE = "bunker-dns";
const CHAIN = "output";

/**
 * Turns what a container sends to port 53 of 127.0.0.11 to these ports; port 53 stays free for servers of its own.
 * The kernel turns the answers back, so that they come from where they were asked. Replaces what was turned before.
 * Throws where the kernel cannot.
 */
export function redirectDns(namespacePath: string, ports: Ports): void {
  inNetworkNamespace(namespacePath, () => {
    const netlink = new Netlink(NETLINK_NETFILTER);
    try {
      netlink.do("turn DNS questions to their server", renderRedirect(ports));
    } finally {
      netlink.closeAside();
    }
  });
}

/** All or nothing: the kernel takes a batch as one transaction. */
export function renderRedirect(ports: Ports): Uint8Array {
  const table = (type: number, flags = 0) =>
    tableMessage(type, flags, (part) => part.text(NFTA_TABLE_NAME, TABLE));
  return Buffer.concat([
    boundary(NFNL_MSG_BATCH_BEGIN),
    // Deleting what is not there would fail.
    table(NFT_MSG.newTable, NLM_F_CREATE),
    table(NFT_MSG.deleteTable),
    table(NFT_MSG.newTable, NLM_F_CREATE),
    tableMessage(NFT_MSG.newChain, NLM_F_CREATE, (chain) => {
      chain.text(NFTA_CHAIN.table, TABLE);
      chain.text(NFTA_CHAIN.name, CHAIN);
      chain.nested(NFTA_CHAIN.hook, () => {
        chain.attribute(NFTA_HOOK.number, big32(NF_INET_LOCAL_OUT));
        chain.attribute(NFTA_HOOK.priority, big32(PRIORITY));
      });
      chain.text(NFTA_CHAIN.type, "nat");
    }),
    ruleMessage("udp", ports.udp, NLM_F_CREATE),
    // One acknowledgement for all: a message that fails is told before it.
    ruleMessage("tcp", ports.tcp, NLM_F_CREATE | NLM_F_ACK),
    boundary(NFNL_MSG_BATCH_END),
  ]);
}

/** struct nfgenmsg with the subsystem, in network order, as its resource. */
function boundary(type: number): Uint8Array {
  const part = new NetlinkMessage(type, NLM_F_REQUEST);
  part.fields([1, 0], [1, 0], [1, 0], [1, NFNL_SUBSYS_NFTABLES]);
  return part.finish();
}

function tableMessage(type: number, flags: number, fill: (part: NetlinkMessage) => void): Uint8Array {
  const part = new NetlinkMessage(type, NLM_F_REQUEST | flags);
  part.fields([1, NFPROTO_IPV4], [1, 0], [2, 0]);
  fill(part);
  return part.finish();
}

function ruleMessage(protocol: keyof typeof IPPROTO, port: number, flags: number): Uint8Array {
  return tableMessage(NFT_MSG.newRule, flags, (rule) => {
    rule.text(NFTA_RULE.table, TABLE);
    rule.text(NFTA_RULE.chain, CHAIN);
    rule.nested(NFTA_RULE.expressions, () => {
      const say = expressions(rule);
      say.meta(NFT_META_L4PROTO);
      say.equals(Uint8Array.of(IPPROTO[protocol]));
      say.payload({ base: NFT_PAYLOAD.networkHeader, offset: DESTINATION_OFFSET, length: 4 });
      say.equals(serverBytes());
      say.payload({ base: NFT_PAYLOAD.transportHeader, offset: PORT_OFFSET, length: 2 });
      say.equals(big16(DNS_PORT));
      say.load(REGISTER.first, serverBytes());
      say.load(REGISTER.second, big16(port));
      say.translate();
    });
  });
}

function expressions(rule: NetlinkMessage) {
  const expression = (name: string, fill: () => void) =>
    rule.nested(NFTA_LIST_ELEM, () => {
      rule.text(NFTA_EXPR.name, name);
      rule.nested(NFTA_EXPR.data, fill);
    });
  const value = (type: number, bytes: Uint8Array) =>
    rule.nested(type, () => void rule.attribute(NFTA_DATA_VALUE, bytes));
  return {
    meta: (key: number) =>
      expression("meta", () => {
        rule.attribute(NFTA_META.register, big32(REGISTER.first));
        rule.attribute(NFTA_META.key, big32(key));
      }),
    payload: (from: { readonly base: number; readonly offset: number; readonly length: number }) =>
      expression("payload", () => {
        rule.attribute(NFTA_PAYLOAD.register, big32(REGISTER.first));
        rule.attribute(NFTA_PAYLOAD.base, big32(from.base));
        rule.attribute(NFTA_PAYLOAD.offset, big32(from.offset));
        rule.attribute(NFTA_PAYLOAD.length, big32(from.length));
      }),
    equals: (bytes: Uint8Array) =>
      expression("cmp", () => {
        rule.attribute(NFTA_CMP.register, big32(REGISTER.first));
        rule.attribute(NFTA_CMP.operator, big32(NFT_CMP_EQ));
        value(NFTA_CMP.data, bytes);
      }),
    load: (register: number, bytes: Uint8Array) =>
      expression("immediate", () => {
        rule.attribute(NFTA_IMMEDIATE.register, big32(register));
        value(NFTA_IMMEDIATE.data, bytes);
      }),
    translate: () =>
      expression("nat", () => {
        rule.attribute(NFTA_NAT.type, big32(NFT_NAT_DNAT));
        rule.attribute(NFTA_NAT.family, big32(NFPROTO_IPV4));
        rule.attribute(NFTA_NAT.address, big32(REGISTER.first));
        rule.attribute(NFTA_NAT.port, big32(REGISTER.second));
      }),
  };
}

function serverBytes(): Uint8Array {
  const address = parseAddress(EMBEDDED_SERVER);
  if (address === undefined) throw new Fault("internal", `Cannot read the address ${EMBEDDED_SERVER}`);
  return addressBytes(address);
}

/** nf_tables takes its numbers in network order. */
function big32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return bytes;
}

function big16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}
