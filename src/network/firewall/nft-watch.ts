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
/** How many of our own processes are remembered. */
const MAX_OWN = 4096;

/** Reads what the kernel tells of changes to nftables, without waiting. Each change ends with who made it. */
export class NftWatch implements FirewallWatch {
  readonly #socket: RawSocket;
  readonly #tables: readonly string[] | undefined;
  readonly #buffer = new Uint8Array(RECEIVE_BYTES);
  readonly #own = new Set<number>();
  /** Whether something went in the change that is being told of. */
  #isRemoval = false;

  /** Of these tables only, or of all. */
  constructor(tables?: readonly string[]) {
    this.#tables = tables;
    this.#socket = new RawSocket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_NETFILTER);
    const result = this.#socket.bind(groupAddress(NFNLGRP_NFTABLES));
    if (result < 0)
      throw new Fault("internal", `Cannot listen to nftables: the kernel says ${errnoName(result)}`);
  }

  look(): Intruder | undefined {
    let found: Intruder | undefined;
    for (let count = 0; count < MAX_DATAGRAMS; count += 1) {
      const length = this.#socket.receive(this.#buffer);
      if (length === -constants.errno.ENOBUFS) found ??= "another program";
      else if (length <= 0) break;
      else
        for (const message of readMessages(this.#buffer.subarray(0, length)))
          found = this.#read(message) ?? found;
    }
    // What they did has been read by now, and their pids may be given again.
    this.#own.clear();
    return found;
  }

  #read({ type, body }: ReceivedMessage): Intruder | undefined {
    if (type >> 8 !== NFNL_SUBSYS_NFTABLES) return undefined;
    const kind = type & 0xff;
    if (kind !== NFT_MSG_NEWGEN) {
      this.#isRemoval ||= REMOVALS.includes(kind) && this.#isWatched(body);
      return undefined;
    }
    const wasRemoval = this.#isRemoval;
    this.#isRemoval = false;
    const attributes = readAttributes(body, BODY_BYTES);
    const pid = bigEndian(attributes.get(NFTA_GEN_PROC_PID));
    if (!wasRemoval || this.#own.has(pid)) return undefined;
    return `${readText(attributes.get(NFTA_GEN_PROC_NAME)) || "another program"} (pid ${pid})`;
  }

  /** In all of these messages the table's name is the first attribute. */
  #isWatched(body: Uint8Array): boolean {
    return this.#tables?.includes(readText(readAttributes(body, BODY_BYTES).get(NFTA_TABLE))) ?? true;
  }

  async own<T extends { readonly pid: number }>(work: () => Promise<T>): Promise<T> {
    if (this.#own.size > MAX_OWN) this.#own.clear();
    const result = await work();
    this.#own.add(result.pid);
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
