import { Fault } from "#errors";
import {
  NetlinkMessage,
  NLM_F_DUMP,
  NLM_F_MULTI,
  NLM_F_REQUEST,
  type ReceivedMessage,
  readAttributes,
  readMessages,
  readText,
} from "./netlink-message.ts";
import { RawSocket } from "./sockets.ts";
import { errnoName } from "./syscalls.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOL_NETLINK = 270;
const NETLINK_EXT_ACK = 11;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
/** struct nlmsgerr: the error, then the header of the request. */
const ERROR_BODY_BYTES = 20;

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

/** The kernel's own advice for dumps (NLMSG_GOODSIZE is at most 32 KiB). */
const RECEIVE_BYTES = 64 * 1024;
/** The kernel answers within the call; this bounds a wait that should never happen. */
const RECEIVE_SECONDS = 5;

/** The kernel's answer to a request: 0, or an errno and, where it gave one, its reason in words. */
export interface NetlinkAnswer {
  readonly errno: number;
  readonly reason: string;
}

/** A synchronous netlink client in the network namespace of this process. The kernel answers within the call. */
export class Netlink implements Disposable {
  readonly #socket: RawSocket;
  readonly #buffer = new Uint8Array(RECEIVE_BYTES);

  constructor(protocol: number = NETLINK_ROUTE) {
    this.#socket = new RawSocket(AF_NETLINK, SOCK_RAW, protocol);
    this.#socket.set(SOL_NETLINK, NETLINK_EXT_ACK, Int32Array.of(1));
    this.#socket.setPatience(RECEIVE_SECONDS);
  }

  /** Sends a request that asks for an acknowledgement (NLM_F_ACK), and returns what the kernel said. */
  ask(message: Uint8Array): NetlinkAnswer {
    this.#send(message);
    for (;;) {
      for (const received of this.#receive()) if (received.type === NLMSG_ERROR) return readAnswer(received);
    }
  }

  /** As ask, and throws `internal` unless it was done or the errno is among those tolerated. */
  do(purpose: string, message: Uint8Array, tolerate: readonly number[] = []): void {
    const { errno, reason } = this.ask(message);
    if (errno === 0 || tolerate.includes(errno)) return;
    throw new Fault(
      "internal",
      `Cannot ${purpose}: the kernel says ${errnoName(errno)}${reason === "" ? "" : ` (${reason})`}`,
    );
  }

  /** The bodies of all answers to a dump request of this type; `body` is its fixed part, `fill` says what narrows it. */
  dump(type: number, body: Uint8Array, fill?: (request: NetlinkMessage) => void): Uint8Array[] {
    const request = new NetlinkMessage(type, NLM_F_REQUEST | NLM_F_DUMP);
    request.fields(...Array.from(body, (byte) => [1, byte] as const));
    fill?.(request);
    this.#send(request.finish());
    const found: Uint8Array[] = [];
    for (;;) {
      for (const received of this.#receive()) {
        if (received.type === NLMSG_DONE) return found;
        if (received.type === NLMSG_ERROR) {
          const { errno } = readAnswer(received);
          throw new Fault(
            "internal",
            `Cannot list what the kernel knows of the network: ${errnoName(errno)}`,
          );
        }
        found.push(received.body.slice());
        if ((received.flags & NLM_F_MULTI) === 0) return found;
      }
    }
  }

  /** The body of the one answer to a get request without NLM_F_ACK; undefined when the kernel refuses. */
  get(message: Uint8Array): Uint8Array | undefined {
    this.#send(message);
    for (const received of this.#receive())
      return received.type === NLMSG_ERROR ? undefined : received.body.slice();
    return undefined;
  }

  #send(message: Uint8Array): void {
    const result = this.#socket.send(message);
    if (result < 0) throw new Fault("internal", `Cannot send a netlink message: ${errnoName(result)}`);
  }

  #receive(): Generator<ReceivedMessage> {
    const length = this.#socket.receive(this.#buffer);
    if (length < 0) throw new Fault("internal", `Cannot receive from netlink: ${errnoName(length)}`);
    return readMessages(this.#buffer.subarray(0, length));
  }

  /** As disposing it, from another thread: after a change of nf_tables the kernel waits ten milliseconds in it. */
  closeAside(): void {
    this.#socket.closeAside();
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}

function readAnswer({ body, flags }: ReceivedMessage): NetlinkAnswer {
  const errno = -new DataView(body.buffer, body.byteOffset, body.byteLength).getInt32(0, true);
  if ((flags & NLM_F_ACK_TLVS) === 0 || errno === 0) return { errno, reason: "" };
  return findReason(errno, body);
}

/** Of a failed request the header and its payload are echoed before the kernel's words; its length stands in the header. */
function findReason(errno: number, body: Uint8Array): NetlinkAnswer {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const isCapped = body.length < 4 + view.getUint32(4, true);
  const offset = isCapped ? ERROR_BODY_BYTES : 4 + ((view.getUint32(4, true) + 3) & ~3);
  return { errno, reason: readText(readAttributes(body, offset).get(NLMSGERR_ATTR_MSG)) };
}
