import { dlopen, read } from "bun:ffi";
import { close } from "node:fs";
import { constants } from "node:os";
import { Fault } from "#errors";
import { errnoName } from "./syscalls.ts";

/** Source: socket(2), socket(7), ipv6(7). */
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_SEQPACKET_OVER_IP = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_REUSEADDR = 2;
const SO_TYPE = 3;
const SO_SNDBUFFORCE = 32;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;
const AF_UNIX = 1;
/** struct sockaddr_un: its family, and the path. Source: unix(7). */
const UNIX_PATH_BYTES = 108;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPPROTO_SCTP = 132;
/** struct sockaddr_in6, which is the longer one. */
const ADDRESS_BYTES = 28;

function openLibrary() {
  return dlopen("libc.so.6", {
    __errno_location: { args: [], returns: "ptr" },
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
    connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
    send: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    close: { args: ["i32"], returns: "i32" },
  }).symbols;
}

let library: ReturnType<typeof openLibrary> | undefined;

/** Opened at first use: that takes half a millisecond, and not every program of ours needs it. */
function calls(): ReturnType<typeof openLibrary> {
  library ??= openLibrary();
  return library;
}

function settle(result: number): number {
  const errno = calls().__errno_location();
  return result === -1 && errno !== null ? -read.i32(errno, 0) : result;
}

/** A socket of the kernel's own, closed with its owner; each call returns what the kernel did, or -errno. */
export class RawSocket implements Disposable {
  readonly #descriptor: number;
  /** The event loop's hold on it, which then is the one to close it. */
  #attended: Promise<Bun.Socket> | undefined;
  #isDisposed = false;

  /** Throws `internal` when the kernel gives none. */
  constructor(family: number, type: number, protocol: number) {
    const descriptor = settle(calls().socket(family, type | SOCK_CLOEXEC, protocol));
    if (descriptor < 0) throw new Fault("internal", `Cannot open a socket: ${errnoName(descriptor)}`);
    this.#descriptor = descriptor;
  }

  bind(address: Uint8Array): number {
    return settle(calls().bind(this.#descriptor, address, address.length));
  }

  connect(address: Uint8Array): number {
    return settle(calls().connect(this.#descriptor, address, address.length));
  }

  send(message: Uint8Array): number {
    return settle(calls().send(this.#descriptor, message, message.length, 0));
  }

  receive(into: Uint8Array): number {
    return settle(calls().recv(this.#descriptor, into, into.length, 0));
  }

  set(level: number, option: number, value: Uint8Array | Int32Array | BigInt64Array): number {
    return settle(calls().setsockopt(this.#descriptor, level, option, value, value.byteLength));
  }

  /** `value` holds what the kernel reads, and then what it says. */
  get(level: number, option: number, value: Uint8Array): number {
    const length = Uint32Array.of(value.byteLength);
    return settle(calls().getsockopt(this.#descriptor, level, option, value, length));
  }

  /** How long receiving may wait. */
  setPatience(seconds: number): void {
    this.set(SOL_SOCKET, SO_RCVTIMEO, BigInt64Array.of(BigInt(seconds), 0n));
  }

  /**
   * Hands out what arrives as the event loop finds it, without a timer; `receive` may be used beside it, on a socket
   * that does not block. `lost` is called when the kernel has let something fall: then nothing more comes.
   */
  attend(take: (datagram: Uint8Array) => void, lost: () => void): void {
    const end = () => {
      if (!this.#isDisposed) lost();
    };
    const socket = { data: (_: unknown, bytes: Uint8Array) => take(bytes), close: end, error: () => {} };
    // Bun's types do not know that it takes a descriptor over, as its documentation of `fd` for sockets has it.
    const options = { fd: this.#descriptor, socket } as unknown as Bun.UnixSocketOptions<undefined>;
    this.#attended = Bun.connect(options).then((attending) => {
      attending.unref();
      return attending;
    });
    this.#attended.catch(end);
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    if (this.#attended === undefined) calls().close(this.#descriptor);
    else this.#attended.then((socket) => socket.terminate()).catch(() => {});
  }

  /** Closes it from another thread: some sockets make the one that closes them wait. */
  closeAside(): void {
    close(this.#descriptor, () => {});
  }
}

/** A port of this host. `bytes` is the address in network order, 4 of them or 16. */
export interface HostPort {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly bytes: Uint8Array;
  readonly port: number;
}

/**
 * Whether a socket could be bound to it now, as the kernel says: 0, or the errno (EADDRINUSE, EADDRNOTAVAIL).
 * 0 too where the kernel does not speak the protocol: nobody can hold a port of it. With `isShared` what was
 * bound to be shared and does not listen (linger of past connections above all) is not in the way.
 */
export function tryBind({ protocol, bytes, port }: HostPort, isShared = false): number {
  const isV6 = bytes.length === 16;
  const type = { tcp: SOCK_STREAM, udp: SOCK_DGRAM, sctp: SOCK_SEQPACKET_OVER_IP }[protocol];
  let socket: RawSocket;
  try {
    socket = new RawSocket(isV6 ? AF_INET6 : AF_INET, type, protocol === "sctp" ? IPPROTO_SCTP : 0);
  } catch {
    return 0;
  }
  using held = socket;
  if (isShared) held.set(SOL_SOCKET, SO_REUSEADDR, Int32Array.of(1));
  if (isV6) held.set(IPPROTO_IPV6, IPV6_V6ONLY, Int32Array.of(1));
  const result = Math.abs(held.bind(socketAddress(bytes, port)));
  return result === constants.errno.EAFNOSUPPORT ? 0 : result;
}

/** struct sockaddr_in or sockaddr_in6. */
function socketAddress(bytes: Uint8Array, port: number): Uint8Array {
  const isV6 = bytes.length === 16;
  const address = new Uint8Array(isV6 ? ADDRESS_BYTES : 16);
  const view = new DataView(address.buffer);
  view.setUint16(0, isV6 ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port);
  address.set(bytes, isV6 ? 8 : 4);
  return address;
}

/** Sends text to a datagram socket of this host; `@` begins an abstract name. False when nobody listens there. */
export function sendDatagram(path: string, text: string): boolean {
  const name = Buffer.from(path.replace(/^@/, "\0"));
  if (name.length >= UNIX_PATH_BYTES) return false;
  using socket = new RawSocket(AF_UNIX, SOCK_DGRAM, 0);
  const address = Buffer.concat([Uint8Array.of(AF_UNIX, 0), name]);
  return socket.connect(address) === 0 && socket.send(Buffer.from(text)) >= 0;
}

/** What an open descriptor is, if it is a socket. */
export function describeSocket(descriptor: number): {
  readonly isListening: boolean;
  readonly isUnix: boolean;
} {
  const ask = (option: number): number | undefined => {
    const value = new Int32Array(1);
    const length = Uint32Array.of(value.byteLength);
    const result = settle(calls().getsockopt(descriptor, SOL_SOCKET, option, value, length));
    return result < 0 ? undefined : value[0];
  };
  return {
    isListening: ask(SO_TYPE) === SOCK_STREAM && ask(SO_ACCEPTCONN) === 1,
    isUnix: ask(SO_DOMAIN) === AF_UNIX,
  };
}

/** Lets so many bytes wait in a socket until they are read, whatever the host's limit is. Returns 0, or -errno. */
export function widenSocket(descriptor: number, bytes: number): number {
  // The kernel counts what it needs itself as well: it doubles the number. Source: socket(7), SO_SNDBUFFORCE.
  const value = new Int32Array([bytes / 2]);
  return settle(calls().setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, value, value.byteLength));
}
