import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { Fault } from "#errors";
import { createApp, listen } from "#server";
import { containerView } from "../fakes/container-view.ts";
import { fakeEngine } from "../fakes/jobs.ts";
import { scratch } from "../fakes/scratch.ts";
import { FACTS } from "../fakes/served.ts";

const app = createApp({ engine: fakeEngine({}), facts: FACTS });

interface Line extends Disposable {
  readonly socket: Socket;
  /** Sends, and gives back what has come when it ends with `end`. */
  ask(text: string, end: string): Promise<string>;
}

function line(path: string): Line {
  const socket = connect({ path });
  let held = "";
  let check = () => {};
  socket.on("data", (chunk: Buffer) => {
    held += chunk.toString();
    check();
  });
  return {
    socket,
    ask(text, end) {
      const { promise, resolve } = Promise.withResolvers<string>();
      check = () => {
        if (!held.endsWith(end)) return;
        resolve(held);
        held = "";
      };
      socket.write(text);
      return promise;
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** Without what changes from one reply to the next, and what only tells how long a connection is kept. */
function timeless(reply: string): string {
  return reply.replace(/^(?:Date|Keep-Alive): .*\r\n/gim, "");
}

/** Counts what comes as far as the app. */
function counted(counting = app) {
  const seen: string[] = [];
  const fetch: typeof app.fetch = (request, bindings) => {
    seen.push(`${request.method} ${new URL(request.url).pathname}`);
    return counting.fetch(request, bindings);
  };
  return { seen, app: { ...counting, fetch } };
}

for (const [question, end] of [
  ["GET /_ping", "\r\n\r\nOK"],
  ["HEAD /_ping", "\r\n\r\n"],
  ["GET /version", "}\n"],
  ["GET /v1.44/_ping", "\r\n\r\nOK"],
  ["GET /v1.44/version", "}\n"],
] as const)
  test(`${question} is answered as by its route, and then without it`, async () => {
    await using place = await scratch();
    const path = join(place.path, "s");
    const { seen, app: watched } = counted();
    await using _listening = await listen({ app: watched, hosts: [`unix://${path}`] });
    const head = `${question} HTTP/1.1\r\nHost: d\r\nUser-Agent: test\r\n\r\n`;
    using first = line(path);
    const routed = await first.ask(head, end);
    const asked = seen.length;
    using second = line(path);
    const replies = [await second.ask(head, end), await second.ask(head, end)];
    expect(replies.map(timeless)).toEqual([timeless(routed), timeless(routed)]);
    expect(replies[0]).toMatch(/\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
    expect(seen.length).toBe(asked);
  });

const inspecting = createApp({
  engine: fakeEngine({
    "container.inspect": ({ ref }) => {
      if (ref === "gone") throw new Fault("not_found", "No such container: gone");
      return containerView({ container: { name: `wéb:${ref}` } });
    },
  }),
  facts: FACTS,
});

/** Header fields in one order and spelling. */
function sorted(reply: string): readonly string[] {
  const [head = "", body = ""] = timeless(reply).split("\r\n\r\n");
  const [status = "", ...fields] = head.split("\r\n");
  return [status, ...fields.map((field) => field.toLowerCase()).sort(), body];
}

test.each([
  ["/containers/web/json", "200"],
  ["/v1.41/containers/web/json", "200"],
  ["/containers/gone/json", "404"],
  ["/v1.99/containers/web/json", "400"],
])("an inspection, %s, is answered as by its route", async (target, status) => {
  await using place = await scratch();
  const path = join(place.path, "s");
  const { seen, app: watched } = counted(inspecting);
  await using _listening = await listen({ app: watched, hosts: [`unix://${path}`] });
  // A query is the route's.
  using routed = line(path);
  const first = await routed.ask(`GET ${target}?size=0 HTTP/1.1\r\nHost: d\r\n\r\n`, "}\n");
  const asked = seen.length;
  using polling = line(path);
  for (const _time of [1, 2]) {
    const reply = await polling.ask(`GET ${target} HTTP/1.1\r\nHost: d\r\n\r\n`, "}\n");
    expect(reply).toStartWith(`HTTP/1.1 ${status} `);
    expect(sorted(reply)).toEqual(sorted(first));
  }
  expect(seen.length).toBe(status === "200" ? asked : asked + 2);
});

test("who asks on without waiting, and ends, gets every reply in order", async () => {
  await using place = await scratch();
  const path = join(place.path, "s");
  await using _listening = await listen({ app: inspecting, hosts: [`unix://${path}`] });
  const child = Bun.spawn(["curl", "-s", "--unix-socket", path, ...POLLS], { stdout: "pipe" });
  expect(namesIn(await child.stdout.text())).toEqual(["wéb:a", "wéb:b", "wéb:c"]);
  const socket = connect({ path, allowHalfOpen: true });
  const { promise, resolve } = Promise.withResolvers<string>();
  let held = "";
  socket.on("data", (chunk: Buffer) => {
    held += chunk.toString();
  });
  socket.on("end", () => resolve(held));
  socket.end("GET /containers/a/json HTTP/1.1\r\nHost: d\r\n\r\n");
  expect(namesIn(await promise)).toEqual(["wéb:a"]);
});

test("what comes before the reply waits for it", async () => {
  await using place = await scratch();
  const path = join(place.path, "s");
  const waiting: (() => void)[] = [];
  const slow = createApp({
    engine: fakeEngine({
      "container.inspect": async ({ ref }) => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return containerView({ container: { name: `wéb:${ref}` } });
      },
    }),
    facts: FACTS,
  });
  await using _listening = await listen({ app: slow, hosts: [`unix://${path}`] });
  using asking = line(path);
  const ask = (ref: string) => `GET /containers/${ref}/json HTTP/1.1\r\nHost: d\r\n\r\n`;
  const first = asking.ask(ask("a"), "}\n");
  while (waiting.length === 0) await Bun.sleep(1);
  asking.socket.write(ask("b"));
  // By the time that another connection is answered, whatever would be read of this one has been.
  using other = line(path);
  await other.ask("GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n", "\r\n\r\nOK");
  expect(waiting.length).toBe(1);
  waiting.shift()?.();
  expect(namesIn(await first)).toEqual(["wéb:a"]);
  const second = asking.ask("", "}\n");
  while (waiting.length === 0) await Bun.sleep(1);
  waiting.shift()?.();
  expect(namesIn(await second)).toEqual(["wéb:b"]);
});

const namesIn = (text: string) => [...text.matchAll(/"\/(wéb:.)"/g)].map(([, name]) => name);
const POLLS = ["a", "b", "c"].map((ref) => `http://d/containers/${ref}/json`);

test("the connection goes on with whatever comes next", async () => {
  await using place = await scratch();
  const path = join(place.path, "s");
  await using _listening = await listen({ app, hosts: [`unix://${path}`] });
  const ping = "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n";
  using warm = line(path);
  await warm.ask(ping, "\r\n\r\nOK");
  using held = line(path);
  expect(await held.ask(ping, "OK")).toStartWith("HTTP/1.1 200 OK\r\n");
  held.socket.write("GET /_p");
  // By the time that another is answered the first half has been read.
  await warm.ask(ping, "\r\n\r\nOK");
  expect(await held.ask("ing HTTP/1.1\r\nHost: d\r\n\r\n", "OK")).toStartWith("HTTP/1.1 200 OK\r\n");
  expect(await held.ask("GET /nothing HTTP/1.1\r\nHost: d\r\n\r\n", "}\n")).toStartWith("HTTP/1.1 404 ");
  expect(await held.ask(ping, "OK")).toStartWith("HTTP/1.1 200 OK\r\n");
  expect((await held.ask(`${ping}${ping}`, "OK")).match(/HTTP\/1\.1 200/g)).not.toBeNull();
});

test.each([
  ["a body", "GET /_ping HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\nhi"],
  ["an end of the connection", "GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"],
  ["a query", "GET /_ping?x=1 HTTP/1.1\r\nHost: d\r\n\r\n"],
  ["another method", "POST /_ping HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n"],
  ["no host", "GET /_ping HTTP/1.1\r\n\r\n"],
  ["a line that is no field", "GET /_ping HTTP/1.1\r\nHost: d\r\nno field\r\n\r\n"],
  ["a version that is refused", "GET /v1.99/_ping HTTP/1.1\r\nHost: d\r\n\r\n"],
  ["two questions at once", "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\nGET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"],
])("a question with %s is the HTTP server's", async (_, text) => {
  await using place = await scratch();
  const path = join(place.path, "s");
  await using _listening = await listen({ app, hosts: [`unix://${path}`] });
  const replies: string[] = [];
  for (const _time of [1, 2]) {
    using warm = line(path);
    await warm.ask("GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n", "\r\n\r\nOK");
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = connect({ path });
    socket.once("data", (chunk: Buffer) => resolve(chunk.toString("latin1").split("\r\n")[0] ?? ""));
    socket.write(text);
    replies.push(await promise);
    socket.destroy();
  }
  expect(replies[1]).toBe(replies[0] ?? "");
});

test("nothing is answered past an authority that is asked before each request", async () => {
  await using place = await scratch();
  const path = join(place.path, "s");
  const { seen, app: watched } = counted();
  let isJudged = false;
  await using _listening = await listen({
    app: { ...watched, isJudged: () => isJudged },
    hosts: [`unix://${path}`],
  });
  const ping = "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n";
  for (const judged of [false, false, true, true]) {
    isJudged = judged;
    using held = line(path);
    await held.ask(ping, "OK");
  }
  expect(seen.length).toBe(4);
});
