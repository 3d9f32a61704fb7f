import type { Asking, Exchange } from "../../src/network/dns/forward.ts";
import { NameTable } from "../../src/network/dns/index.ts";
import { type Outlook, Served } from "../../src/network/dns/resolver.ts";
import { TYPE } from "../../src/network/dns/wire.ts";

export interface QuestionOptions {
  readonly type?: number;
  readonly class?: number;
  readonly id?: number;
  readonly edns?: { readonly size: number; readonly version?: number };
}

/** A query as clients write it. */
export function question(name: string, options: QuestionOptions = {}): Uint8Array {
  const labels = name.split(".").filter((label) => label !== "");
  const { id = 0x1234, type = TYPE.A, edns } = options;
  return Uint8Array.of(
    ...[id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns === undefined ? 0 : 1],
    ...labels.flatMap((label) => [label.length, ...Buffer.from(label, "latin1")]),
    ...[0, type >> 8, type & 255, 0, options.class ?? 1],
    ...(edns === undefined
      ? []
      : [0, 0, 41, edns.size >> 8, edns.size & 255, 0, edns.version ?? 0, 0, 0, 0, 0]),
  );
}

/** An answer to a query with so many addresses. */
export function reply(
  query: Uint8Array,
  { rcode = 0, count = 1, flags = 0 }: { rcode?: number; count?: number; flags?: number } = {},
): Uint8Array {
  const questionEnd = query.indexOf(0, 12) + 5;
  const records = Array.from({ length: count }, (_, index) => [
    ...[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4],
    ...[10, 0, index >> 8, index & 255],
  ]);
  const bytes = Uint8Array.of(...query.subarray(0, questionEnd), ...records.flat());
  bytes.set([0x81 | (flags >> 8), 0x80 | rcode], 2);
  bytes.set([0, 1, count >> 8, count & 255, 0, 0, 0, 0], 4);
  return bytes;
}

export const rcodeOf = (answer: Uint8Array): number => (answer[3] ?? 0) & 15;
export const countOf = (answer: Uint8Array): number => ((answer[6] ?? 0) << 8) | (answer[7] ?? 0);
export const isTruncated = (answer: Uint8Array): boolean => ((answer[2] ?? 0) & 2) !== 0;

/** The addresses of IPv4 records under the question's name. */
export function addressesOf(answer: Uint8Array): readonly string[] {
  const start = answer.indexOf(0, 12) + 5;
  return Array.from({ length: countOf(answer) }, (_, index) =>
    answer.subarray(start + index * 16 + 12, start + index * 16 + 16).join("."),
  );
}

/** Servers by address: what each says to a query, or undefined when it is silent. */
export class FakeExchange implements Exchange {
  readonly asked: { readonly address: string; readonly transport: string; readonly message: Uint8Array }[] =
    [];
  readonly #servers: Readonly<
    Record<string, (query: Uint8Array, transport: string) => Uint8Array | undefined>
  >;

  constructor(
    servers: Readonly<Record<string, (query: Uint8Array, transport: string) => Uint8Array | undefined>>,
  ) {
    this.#servers = servers;
  }

  udp(asking: Asking): Promise<Uint8Array | undefined> {
    return this.#ask(asking, "udp");
  }

  tcp(asking: Asking): Promise<Uint8Array | undefined> {
    return this.#ask(asking, "tcp");
  }

  async #ask({ server, message, isAnswer }: Asking, transport: string): Promise<Uint8Array | undefined> {
    this.asked.push({ address: server.address, transport, message });
    const answer = this.#servers[server.address]?.(message, transport);
    return answer !== undefined && isAnswer(answer) ? answer : undefined;
  }
}

/** One container's server without sockets. */
export function serve(
  outlook: Partial<Outlook> = {},
  {
    table = new NameTable(),
    exchange = new FakeExchange({}),
  }: { table?: NameTable; exchange?: Exchange } = {},
) {
  const errors: string[] = [];
  const served = new Served(
    {
      containerId: "c",
      namespacePath: "",
      networks: [{ id: "n1", name: "front", isInternal: false }],
      links: [],
      upstream: [],
      ...outlook,
    },
    { table, exchange: () => exchange, log: (_, message) => errors.push(message) },
  );
  const ask = (message: Uint8Array, transport: "udp" | "tcp" = "udp") =>
    new Promise<Uint8Array>((resolve) => served.handle(message, transport, resolve));
  return { served, ask, table, errors };
}
