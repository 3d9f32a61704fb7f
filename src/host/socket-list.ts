import { Netlink } from "./netlink.ts";
import { readNumber } from "./netlink-message.ts";

/** linux/sock_diag.h, inet_diag.h; states of net/tcp_states.h. */
const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO = { tcp: 6, udp: 17 } as const;
/** Waiting for callers: TCP that listens, TCP that is only bound (told since Linux 6.8), UDP without a peer. */
const STATES = (1 << 7) | (1 << 10) | (1 << 13);
/** struct inet_diag_req_v2; offsets in struct inet_diag_msg. */
const REQUEST_BYTES = 56;
const PORT_OFFSET = 4;
const ADDRESS_OFFSET = 8;
const INODE_OFFSET = 68;

export interface BoundSocket {
  /** In network order: 4 bytes or 16. */
  readonly bytes: Uint8Array;
  readonly port: number;
  readonly inode: number;
}

/** The sockets of this network namespace that hold a port, of both families. None where the kernel cannot tell. */
export function listBoundSockets(protocol: "tcp" | "udp"): BoundSocket[] {
  using netlink = new Netlink(NETLINK_SOCK_DIAG);
  return [AF_INET, AF_INET6].flatMap((family) => {
    const request = new Uint8Array(REQUEST_BYTES);
    request.set([family, IPPROTO[protocol]]);
    new DataView(request.buffer).setUint32(4, STATES, true);
    try {
      return netlink.dump(SOCK_DIAG_BY_FAMILY, request).map((body) => ({
        bytes: body.slice(ADDRESS_OFFSET, ADDRESS_OFFSET + (family === AF_INET ? 4 : 16)),
        port: (body[PORT_OFFSET] ?? 0) * 256 + (body[PORT_OFFSET + 1] ?? 0),
        inode: readNumber(body, INODE_OFFSET) ?? 0,
      }));
    } catch {
      return [];
    }
  });
}
