import { constants } from "node:os";
import type { Netlink } from "./netlink.ts";
import { NetlinkMessage, NLM_F_ACK, NLM_F_REQUEST, readAttributes } from "./netlink-message.ts";

/** linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h. */
const NFNL_SUBSYS_CTNETLINK = 1;
const GET = (NFNL_SUBSYS_CTNETLINK << 8) | 1;
const DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
/** Source and destination of a tuple, by family. */
const CTA_IP = { 4: { source: 1, destination: 2 }, 6: { source: 3, destination: 4 } } as const;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_DST_PORT = 3;
/** What a dump is narrowed by. Source: nf_internals.h. */
const CTA_FILTER = 25;
const CTA_FILTER_ORIG_FLAGS = 1;
const FILTER_BY = { protocol: 1 << 3, destinationPort: 1 << 5 };
const NLA_F_NESTED = 0x8000;
const AF = { 4: 2, 6: 10 } as const;
/** struct nfgenmsg: family, version, resource. */
const BODY_BYTES = 4;
const NOTHING = new Uint8Array();

/** A flow as the kernel tracks it; addresses in network order. */
export interface TrackedFlow {
  /** IPPROTO_*. */
  readonly protocol: number;
  /** Where its first packet was sent. */
  readonly destination: Uint8Array;
  readonly destinationPort: number;
  /** Who answers: another address when it is translated. */
  readonly answeredBy: Uint8Array;
}

/** Which flows are looked at: kernels from 5.8 on tell no others, older ones all. */
export interface FlowFilter {
  readonly family: 4 | 6;
  readonly protocol: number;
  /** Absent: any. */
  readonly destinationPort?: number;
}

/**
 * Makes the kernel forget the flows that `isStale` names, so that their next packet meets today's rules. `netlink`
 * speaks NETLINK_NETFILTER. Returns how many. The kernel tracks hundreds of thousands, also at a container's will: a
 * narrow filter keeps them out of this process.
 */
export function forgetFlows(
  netlink: Netlink,
  filter: FlowFilter,
  isStale: (flow: TrackedFlow) => boolean,
): number {
  const { family } = filter;
  let count = 0;
  for (const body of netlink.dump(GET, Uint8Array.of(AF[family], 0, 0, 0), (request) =>
    narrow(request, filter),
  )) {
    const original = readAttributes(body, BODY_BYTES).get(CTA_TUPLE_ORIG);
    const flow = readFlow(body, family);
    if (original === undefined || flow === undefined || !isStale(flow)) continue;
    const request = new NetlinkMessage(DELETE, NLM_F_REQUEST | NLM_F_ACK);
    request.fields([1, AF[family]], [1, 0], [2, 0]);
    request.attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, original);
    netlink.do("forget a flow", request.finish(), [constants.errno.ENOENT]);
    count += 1;
  }
  return count;
}

function narrow(request: NetlinkMessage, { protocol, destinationPort }: FlowFilter): void {
  const hasPort = destinationPort !== undefined;
  request.nested(CTA_TUPLE_ORIG, () =>
    request.nested(CTA_TUPLE_PROTO, () => {
      request.attribute(CTA_PROTO_NUM, Uint8Array.of(protocol));
      if (hasPort)
        request.attribute(CTA_PROTO_DST_PORT, Uint8Array.of(destinationPort >> 8, destinationPort & 255));
    }),
  );
  request.nested(
    CTA_FILTER,
    () =>
      void request.number(
        CTA_FILTER_ORIG_FLAGS,
        FILTER_BY.protocol | (hasPort ? FILTER_BY.destinationPort : 0),
      ),
  );
}

function readFlow(body: Uint8Array, family: 4 | 6): TrackedFlow | undefined {
  const attributes = readAttributes(body, BODY_BYTES);
  const original = readAttributes(attributes.get(CTA_TUPLE_ORIG) ?? NOTHING);
  const reply = readAttributes(attributes.get(CTA_TUPLE_REPLY) ?? NOTHING);
  const addresses = readAttributes(original.get(CTA_TUPLE_IP) ?? NOTHING);
  const transport = readAttributes(original.get(CTA_TUPLE_PROTO) ?? NOTHING);
  const destination = addresses.get(CTA_IP[family].destination);
  const answeredBy = readAttributes(reply.get(CTA_TUPLE_IP) ?? NOTHING).get(CTA_IP[family].source);
  const port = transport.get(CTA_PROTO_DST_PORT);
  if (destination === undefined || answeredBy === undefined || port?.length !== 2) return undefined;
  const [high = 0, low = 0] = port;
  return {
    protocol: transport.get(CTA_PROTO_NUM)?.[0] ?? 0,
    destination,
    destinationPort: high * 256 + low,
    answeredBy,
  };
}
