import type { Answer } from "./answer.ts";
import type { NamedNetwork, NameTable } from "./names.ts";
import type { Query } from "./query.ts";
import { CLASS, RCODE, TYPE } from "./wire.ts";

/** Who asks: only names on its own networks are told. */
export interface Asker {
  readonly networks: readonly NamedNetwork[];
  /** Names that hold for this container alone, each for a name on its networks; lower case. */
  readonly links: ReadonlyMap<string, string>;
}

export interface LocalReply {
  readonly rcode: number;
  readonly answers?: readonly Answer[];
}

const REFUSED: LocalReply = { rcode: RCODE.refused };
const BAD_VERSION: LocalReply = { rcode: RCODE.badVersion };
/** A known name without records of this type: NXDOMAIN would say that it has no other address either. */
const NO_DATA: LocalReply = { rcode: RCODE.success };
const LONGEST_LABEL = 63;
const LONGEST_NAME = 253;

/** Undefined for what other servers are to be asked. */
export function answerLocally(table: NameTable, asker: Asker, query: Query): LocalReply | undefined {
  if (query.edns !== undefined && query.edns.version !== 0) return BAD_VERSION;
  if (query.type === TYPE.AXFR || query.type === TYPE.IXFR) return REFUSED;
  if (query.class !== CLASS.internet && query.class !== CLASS.any) return REFUSED;
  if (query.name === undefined || query.name === "") return undefined;
  if (query.type === TYPE.PTR) {
    const names = table.findReverse(asker.networks, query.name);
    if (names !== undefined) return { rcode: RCODE.success, answers: names.flatMap(pointer) };
  }
  const name = asker.links.get(query.name) ?? query.name;
  const v4 = table.find(asker.networks, name, "v4");
  if (v4 === undefined) return undefined;
  if (query.type === TYPE.A) return found(TYPE.A, v4);
  if (query.type === TYPE.AAAA) return found(TYPE.AAAA, table.find(asker.networks, name, "v6") ?? []);
  if (query.type !== TYPE.ANY) return NO_DATA;
  const v6 = table.find(asker.networks, name, "v6") ?? [];
  return { rcode: RCODE.success, answers: [...records(TYPE.A, v4), ...records(TYPE.AAAA, v6)] };
}

function found(type: number, addresses: readonly Uint8Array[]): LocalReply {
  return addresses.length === 0 ? NO_DATA : { rcode: RCODE.success, answers: records(type, addresses) };
}

function records(type: number, addresses: readonly Uint8Array[]): Answer[] {
  return addresses.map((data) => ({ type, data }));
}

/** None for a name that DNS cannot carry. */
function pointer(name: string): Answer[] {
  const labels = name.split(".");
  if (name.length > LONGEST_NAME) return [];
  if (labels.some((label) => label === "" || label.length > LONGEST_LABEL)) return [];
  const bytes = labels.flatMap((label) => [label.length, ...Buffer.from(label, "latin1")]);
  return [{ type: TYPE.PTR, data: Uint8Array.of(...bytes, 0) }];
}
