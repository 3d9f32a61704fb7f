import { describe, expect, test } from "bun:test";
import { NameTable } from "../../../../src/network/dns/index.ts";
import { RCODE, TYPE } from "../../../../src/network/dns/wire.ts";
import { addressesOf, countOf, isTruncated, question, rcodeOf, serve } from "../../../fakes/dns.ts";

function filled(): NameTable {
  const table = new NameTable();
  table.set("n1", "e1", {
    containerName: "Web",
    shortId: "0123456789ab",
    names: ["app"],
    addresses: { v4: "172.18.0.2", v6: "fd00::2" },
  });
  table.set("n1", "e2", {
    containerName: "db",
    shortId: "ba9876543210",
    names: ["app"],
    addresses: { v4: "172.18.0.3", v6: "" },
  });
  table.set("n2", "e3", {
    containerName: "hidden",
    shortId: "cccccccccccc",
    names: ["app"],
    addresses: { v4: "172.19.0.2", v6: "" },
  });
  return table;
}

describe("names of the networks a container is on", () => {
  test.each([
    ["web", ["172.18.0.2"]],
    ["WEB", ["172.18.0.2"]],
    ["web.front", ["172.18.0.2"]],
    ["0123456789ab", ["172.18.0.2"]],
    ["db.FRONT", ["172.18.0.3"]],
    ["store", ["172.18.0.3"]],
  ])("%s is %p", async (name, expected) => {
    const { ask } = serve({ links: [{ alias: "Store", name: "db" }] }, { table: filled() });
    const answer = await ask(question(name));
    expect([rcodeOf(answer), addressesOf(answer)]).toEqual([RCODE.success, expected]);
  });

  test("several bearers of an alias come in turn", async () => {
    const { ask } = serve({}, { table: filled() });
    const first = addressesOf(await ask(question("app")));
    expect(first.toSorted()).toEqual(["172.18.0.2", "172.18.0.3"]);
    expect(addressesOf(await ask(question("app")))).toEqual(first.toReversed());
  });

  test.each([
    ["web", TYPE.AAAA, 1],
    ["db", TYPE.AAAA, 0],
    ["db", 15, 0],
    ["db", 65, 0],
    ["web", TYPE.ANY, 2],
    ["2.0.18.172.in-addr.arpa", TYPE.PTR, 1],
    [`2${".0".repeat(28)}.0.d.f.ip6.arpa`, TYPE.PTR, 1],
  ])("%s of type %i has %i records, and is known", async (name, type, count) => {
    const { ask } = serve({}, { table: filled() });
    const answer = await ask(question(name, { type }));
    expect([rcodeOf(answer), countOf(answer)]).toEqual([RCODE.success, count]);
  });

  test.each(["hidden", "hidden.back", "web.back", "web.other.front", "store", "2.0.19.172.in-addr.arpa", ""])(
    "%p is nobody's here, and there is nobody else to ask",
    async (name) => {
      const { ask } = serve({}, { table: filled() });
      for (const type of [TYPE.A, TYPE.AAAA, TYPE.PTR])
        expect(rcodeOf(await ask(question(name, { type })))).toBe(RCODE.serverFailure);
    },
  );

  test("what has gone is not told any more, what has come is, and networks change while it runs", async () => {
    const { ask, table, served } = serve({}, { table: filled() });
    table.remove("n1", "e1");
    expect(addressesOf(await ask(question("app")))).toEqual(["172.18.0.3"]);
    expect(rcodeOf(await ask(question("web")))).toBe(RCODE.serverFailure);
    served.change({ networks: [{ id: "n2", name: "back", isInternal: true }] });
    expect(addressesOf(await ask(question("hidden.back")))).toEqual(["172.19.0.2"]);
    table.removeNetwork("n2");
    expect(rcodeOf(await ask(question("hidden")))).toBe(RCODE.serverFailure);
  });
});

describe("questions that are refused", () => {
  const with16 = (at: number, value: number) => {
    const bytes = question("web");
    bytes.set([value >> 8, value & 255], at);
    return bytes;
  };
  test.each<[string, Uint8Array, number]>([
    ["a zone transfer", question("web", { type: TYPE.AXFR }), RCODE.refused],
    ["another class", question("web", { class: 3 }), RCODE.refused],
    ["no question", with16(4, 0), RCODE.formatError],
    ["two questions", with16(4, 2), RCODE.formatError],
    ["65535 records that are not there", with16(10, 65535), RCODE.formatError],
    ["another operation", with16(2, 0x2800), RCODE.notImplemented],
    ["a name that points at itself", with16(12, 0xc00c), RCODE.formatError],
    ["a name that runs out of the message", with16(12, 0x3f3f), RCODE.formatError],
    ["a header alone", question("web").subarray(0, 12), RCODE.formatError],
    ["EDNS of another version", question("web", { edns: { size: 1232, version: 1 } }), 0],
  ])("%s", async (_, message, rcode) => {
    const answer = await serve({}, { table: filled() }).ask(message);
    expect([rcodeOf(answer), countOf(answer), [...answer.subarray(0, 2)]]).toEqual([rcode, 0, [0x12, 0x34]]);
  });

  test("EDNS of another version says so in the upper bits", async () => {
    const answer = await serve().ask(question("web", { edns: { size: 1232, version: 1 } }));
    expect(answer[answer.length - 6]).toBe(1);
  });

  test.each([
    ["an answer", Uint8Array.of(0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0)],
    ["half a header", question("web").subarray(0, 11)],
    ["nothing", new Uint8Array(0)],
  ])("%s gets no reply at all", (_, message) => {
    const replies: Uint8Array[] = [];
    serve().served.handle(message, "udp", (answer) => replies.push(answer));
    expect(replies).toEqual([]);
  });
});

test("an answer is as long as its client takes: 512 bytes, what EDNS says, or all of it over TCP", async () => {
  const table = new NameTable();
  for (let index = 0; index < 100; index += 1)
    table.set("n1", `${index}`, {
      containerName: `web${index}`,
      shortId: "",
      names: ["many"],
      addresses: { v4: `172.18.1.${index}`, v6: "" },
    });
  const { ask } = serve({}, { table });
  const plain = await ask(question("many"));
  expect([isTruncated(plain), countOf(plain), plain.length <= 512]).toEqual([true, 30, true]);
  const extended = await ask(question("many", { edns: { size: 1232 } }));
  expect([isTruncated(extended), extended.length <= 1232, extended.length > 1200]).toEqual([
    true,
    true,
    true,
  ]);
  const whole = await ask(question("many", { edns: { size: 4096 } }));
  expect([isTruncated(whole), countOf(whole)]).toEqual([false, 100]);
  expect(countOf(await ask(question("many"), "tcp"))).toBe(100);
});

/** A generator with a seed, so that what fails once can be had again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test("whatever a message is, the answer is one or none, short enough and with its id, and nothing is thrown", () => {
  const { served, errors } = serve({}, { table: filled() });
  const seeds = [question("web"), question("app.front", { edns: { size: 600 } }), question("x".repeat(60))];
  const next = random(11);
  for (let round = 0; round < 30_000; round += 1) {
    const seed = seeds[next(seeds.length)] ?? new Uint8Array(0);
    const message = new Uint8Array(next(3) === 0 ? next(300) : seed.length);
    message.set(seed.subarray(0, message.length));
    for (let change = next(6); change > 0; change -= 1) message[next(message.length)] = next(256);
    const before = message.slice();
    const answers: Uint8Array[] = [];
    served.handle(message, "udp", (answer) => answers.push(answer));
    expect(message).toEqual(before);
    expect(answers.length).toBeLessThanOrEqual(1);
    for (const answer of answers) {
      expect([answer[0], answer[1]]).toEqual([message[0], message[1]]);
      expect((answer[2] ?? 0) & 0x80).toBe(0x80);
      expect(answer.length).toBeLessThanOrEqual(65_535);
      expect(answer.length).toBeGreaterThanOrEqual(12);
    }
  }
  expect(errors).toEqual([]);
});
