import { constants } from "node:os";
import { Fault } from "#errors";
import {
  errnoName,
  NETLINK_NETFILTER,
  RawSocket,
  type ReceivedMessage,
  readAttributes,
  readMessages,
  readText,
} from "#host";
import type { FirewallWatch, Intruder } from "./state.ts";

/** Source: linux/netlink.h, linux/netfilter/nfnetlink.h, nf_tables.h. */
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const NFNLGRP_NFTABLES = 7;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWGEN = 15;
/** Tables, chains, rules, sets and elements that went. */
const REMOVALS: readonly number[] = [2, 5, 8, 11, 14];
const NFTA_TABLE = 1;
const NFTA_GEN_PROC_PID = 2;
const NFTA_GEN_PROC_NAME = 3;
/** struct nfgenmsg. */
const BODY_BYTES = 4;
const RECEIVE_BYTES = 64 * 1024;
/** More than are read at one look: the rest is read at the next. */
const MAX_DATAGRAMS = 4096;
/** Our own processes are remembered so long: what they did may be told of a little later. Milliseconds. */
const MEMORY = 10_000;
/** More removals than these are as good as one by somebody else. */
const MAX_REMOVALS = 4096;
const SOMEBODY = "another program";

interface Removal {
  readonly pid: number;
  readonly by: Intruder;
}

/** Hears what the kernel tells of changes to nftables. Each change ends with who made it. */
export class NftWatch implements FirewallWatch {
  #socket: RawSocket;
  readonly #notice: () => void;
  readonly #tables: readonly string[] | undefined;
  readonly #buffer = new Uint8Array(RECEIVE_BYTES);
  /** Pid → until when it is ours. */
  readonly #own = new Map<number, number>();
  #removals: Removal[] = [];
  #hasMissed = false;
  /** Whether something went in the change that is being told of. */
  #isRemoval = false;

  /** Of these tables only, or of all. */
  constructor(notice: () => void, tables?: readonly string[]) {
    this.#notice = notice;
    this.#tables = tables;
    this.#socket = this.#listen();
  }

  #listen(): RawSocket {
    const socket = new RawSocket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_NETFILTER);
    const result = socket.bind(groupAddress(NFNLGRP_NFTABLES));
    if (result < 0) {
      socket[Symbol.dispose]();
      throw new Fault("internal", `Cannot listen to nftables: the kernel says ${errnoName(result)}`);
    }
    socket.attend(
      (datagram) => {
        this.#take(datagram);
        this.#notice();
      },
      () => {
        this.#hasMissed = true;
        this.#socket = this.#listen();
        this.#notice();
      },
    );
    return socket;
  }

  look(): Intruder | undefined {
    for (let count = 0; count < MAX_DATAGRAMS; count += 1) {
      const length = this.#socket.receive(this.#buffer);
      if (length === -constants.errno.ENOBUFS) this.#hasMissed = true;
      else if (length <= 0) break;
      else this.#take(this.#buffer.subarray(0, length));
    }
    const now = performance.now();
    for (const [pid, end] of this.#own) if (end < now) this.#own.delete(pid);
    const stranger = this.#removals.findLast(({ pid }) => !this.#own.has(pid));
    const found = stranger?.by ?? (this.#hasMissed ? SOMEBODY : undefined);
    this.#removals = [];
    this.#hasMissed = false;
    return found;
  }

  #take(datagram: Uint8Array): void {
    for (const message of readMessages(datagram)) this.#read(message);
  }

  #read({ type, body }: ReceivedMessage): void {
    if (type >> 8 !== NFNL_SUBSYS_NFTABLES) return;
    const kind = type & 0xff;
    if (kind !== NFT_MSG_NEWGEN) {
      this.#isRemoval ||= REMOVALS.includes(kind) && this.#isWatched(body);
      return;
    }
    const wasRemoval = this.#isRemoval;
    this.#isRemoval = false;
    const attributes = readAttributes(body, BODY_BYTES);
    const pid = bigEndian(attributes.get(NFTA_GEN_PROC_PID));
    if (!wasRemoval) return;
    const by = `${readText(attributes.get(NFTA_GEN_PROC_NAME)) || SOMEBODY} (pid ${pid})`;
    if (this.#removals.length < MAX_REMOVALS) this.#removals.push({ pid, by });
    else this.#hasMissed = true;
  }

  /** In all of these messages the table's name is the first attribute. */
  #isWatched(body: Uint8Array): boolean {
    return this.#tables?.includes(readText(readAttributes(body, BODY_BYTES).get(NFTA_TABLE))) ?? true;
  }

  async own<T extends { readonly pid: number }>(work: () => Promise<T>): Promise<T> {
    const result = await work();
    this.#own.set(result.pid, performance.now() + MEMORY);
    return result;
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}

/** struct sockaddr_nl. */
function groupAddress(group: number): Uint8Array {
  const address = new Uint8Array(12);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_NETLINK, true);
  view.setUint32(8, 1 << (group - 1), true);
  return address;
}

function bigEndian(bytes: Uint8Array | undefined): number {
  if (bytes?.length !== 4) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}
