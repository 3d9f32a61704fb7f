import { describe, expect, test } from "bun:test";
import { FrameReader, framed } from "../../../../src/network/dns/frames.ts";
import { RCODE } from "../../../../src/network/dns/wire.ts";
import { countOf, FakeExchange, isTruncated, question, rcodeOf, reply, serve } from "../../../fakes/dns.ts";

const server = (address: string) => ({ address, from: "host" as const });
const one = [server("1.1.1.1")];
const two = [server("1.1.1.1"), server("2.2.2.2")];

describe("names of the outer world", () => {
  test("are asked with another id, and answered with the client's", async () => {
    const exchange = new FakeExchange({ "1.1.1.1": (query) => reply(query) });
    const { ask } = serve({ upstream: one }, { exchange });
    const ids = new Set<string>();
    for (let round = 0; round < 20; round += 1) {
      const answer = await ask(question("example.org", { id: 7 }));
      expect([answer[0], answer[1], countOf(answer)]).toEqual([0, 7, 1]);
    }
    for (const { message } of exchange.asked) ids.add(message.subarray(0, 2).join());
    expect(ids.size).toBeGreaterThan(15);
  });

  test.each<[string, (query: Uint8Array) => Uint8Array]>([
    ["another id", (query) => reply(query).with(0, (query[0] ?? 0) ^ 1)],
    ["another question", (query) => reply(query).with(13, 0x7a)],
    ["no answer but a question", (query) => query],
    ["less than a header", (query) => reply(query).subarray(0, 8)],
    ["no question and no error", (query) => reply(query).with(5, 0)],
  ])("an answer with %s is not believed", async (_, answer) => {
    const exchange = new FakeExchange({ "1.1.1.1": answer });
    const { ask } = serve({ upstream: one }, { exchange });
    expect(rcodeOf(await ask(question("example.org")))).toBe(RCODE.serverFailure);
  });

  test("are asked of the next server when one is silent or cannot say, and of one alone twice", async () => {
    const silent = new FakeExchange({ "2.2.2.2": (query) => reply(query) });
    expect(rcodeOf(await serve({ upstream: two }, { exchange: silent }).ask(question("a.b")))).toBe(0);
    const failing = new FakeExchange({
      "1.1.1.1": (query) => reply(query, { rcode: RCODE.serverFailure, count: 0 }),
      "2.2.2.2": (query) => reply(query, { rcode: RCODE.noSuchName, count: 0 }),
    });
    expect(rcodeOf(await serve({ upstream: two }, { exchange: failing }).ask(question("a.b")))).toBe(
      RCODE.noSuchName,
    );
    const dead = new FakeExchange({});
    expect(rcodeOf(await serve({ upstream: one }, { exchange: dead }).ask(question("a.b")))).toBe(
      RCODE.serverFailure,
    );
    expect(dead.asked.length).toBe(2);
  });

  test("are asked over TCP when they do not fit a datagram, and cut for the client", async () => {
    const exchange = new FakeExchange({
      "1.1.1.1": (query, transport) =>
        transport === "udp" ? reply(query, { flags: 0x200, count: 0 }) : reply(query, { count: 200 }),
    });
    const { ask } = serve({ upstream: one }, { exchange });
    const cut = await ask(question("a.b"));
    expect([isTruncated(cut), countOf(cut), cut.length <= 512]).toEqual([true, 30, true]);
    expect(countOf(await ask(question("a.b"), "tcp"))).toBe(200);
    expect(exchange.asked.map(({ transport }) => transport)).toEqual(["udp", "tcp", "udp", "tcp"]);
  });

  test("D4: never leave a container that is on internal networks alone", async () => {
    const exchange = new FakeExchange({ "1.1.1.1": (query) => reply(query) });
    const inner = { id: "n1", name: "in", isInternal: true };
    const { ask, served } = serve({ upstream: one, networks: [inner] }, { exchange });
    expect(rcodeOf(await ask(question("secret.example.org")))).toBe(RCODE.serverFailure);
    expect(exchange.asked).toEqual([]);
    served.change({ networks: [inner, { id: "n2", name: "out", isInternal: false }] });
    expect(rcodeOf(await ask(question("example.org")))).toBe(0);
  });

  test("are refused beyond so many in flight, while own names are still answered", async () => {
    const pending: (() => void)[] = [];
    const silence = new Promise<undefined>((resolve) => pending.push(() => resolve(undefined)));
    const { ask, table, served } = serve(
      { upstream: one },
      { exchange: { udp: () => silence, tcp: () => silence } },
    );
    const addresses = { v4: "172.18.0.2", v6: "" };
    table.set("n1", "e", { containerName: "web", shortId: "", names: [], addresses });
    for (let count = 0; count < 256; count += 1) served.handle(question("a.b"), "udp", () => {});
    expect(rcodeOf(await ask(question("a.b")))).toBe(RCODE.refused);
    expect(countOf(await ask(question("web")))).toBe(1);
    for (const release of pending) release();
  });
});

describe("messages over TCP", () => {
  const read = (chunks: readonly Uint8Array[]) => {
    const messages: number[] = [];
    const reader = new FrameReader((message) => messages.push(message.length), 100);
    return { results: chunks.map((chunk) => reader.push(chunk)), messages };
  };

  test("come whole, however they are cut", () => {
    const stream = Buffer.concat([framed(new Uint8Array(20)), framed(new Uint8Array(100))]);
    expect(read([stream]).messages).toEqual([20, 100]);
    expect(read([...stream].map((byte) => Uint8Array.of(byte))).messages).toEqual([20, 100]);
  });

  test.each([
    [0, 0],
    [0, 11],
    [0, 101],
    [255, 255],
  ])("of a length of %i %i end it", (high, low) => {
    expect(read([Uint8Array.of(high, low, 1, 2)]).results).toEqual([false]);
  });
});
