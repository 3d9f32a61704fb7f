import { describe, expect, test } from "bun:test";
import type { EngineEvent } from "#jobs";
import { ProgressQueue } from "../../src/server/progress-stream.ts";
import { served } from "../fakes/served.ts";

const GET = (target: string) => `GET ${target} HTTP/1.1\r\nHost: d\r\n\r\n`;
const POST = (target: string) => `POST ${target} HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n`;

/** Yields what it is given, and tells when it has been given up. */
function tap<Item>(signal: AbortSignal) {
  const givenUp = Promise.withResolvers<void>();
  const queue: Item[] = [];
  let wake = () => {};
  signal.addEventListener("abort", () => wake());
  async function* items(): AsyncGenerator<Item> {
    try {
      while (!signal.aborted) {
        for (let item = queue.shift(); item !== undefined; item = queue.shift()) yield item;
        if (signal.aborted) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      givenUp.resolve();
    }
  }
  const push = (item: Item) => {
    queue.push(item);
    wake();
  };
  return { items: items(), push, givenUp: givenUp.promise };
}

const EVENT: EngineEvent = {
  type: "container",
  action: "start",
  id: "c",
  attributes: { image: "httpd" },
  timeNano: 1_700_000_000_123_456_789n,
};

describe("events", () => {
  test("the head goes out before the first event, each event at once, and a client that leaves ends it", async () => {
    const ready = Promise.withResolvers<ReturnType<typeof tap<EngineEvent>>>();
    await using server = await served({
      "system.events": (_input, { signal }) => {
        const events = tap<EngineEvent>(signal);
        ready.resolve(events);
        return events.items;
      },
    });
    const client = server.dial(GET("/v1.51/events"));
    const head = await client.until("\r\n\r\n");
    expect(head).toStartWith("HTTP/1.1 200 OK\r\n");
    expect(head).toMatch(/transfer-encoding: chunked/i);
    const events = await ready.promise;
    events.push(EVENT);
    const line = await client.until("}\n\r\n");
    expect(line).toContain('"status":"start","id":"c","from":"httpd","Type":"container"');
    expect(line).toContain('"timeNano":1700000000123456789}');
    client.socket.destroy();
    await events.givenUp;
  });

  test.each([
    ["application/json-seq", "application/json-seq", "\x1e{"],
    ["application/x-ndjson", "application/x-ndjson", "{"],
    ["*/*", "application/json", "{"],
  ])("accepting %s get %s", async (accept, type, start) => {
    await using server = await served({
      "system.events": () =>
        (async function* () {
          yield EVENT;
        })(),
    });
    const response = await fetch("http://d/events", { unix: server.path, headers: { accept } });
    expect(response.headers.get("Content-Type")).toBe(type);
    expect(await response.text()).toStartWith(start);
  });
});

describe("wait", () => {
  test("its head goes out when the wait is in place, its body when it is over", async () => {
    const exit = Promise.withResolvers<{ code: number }>();
    await using server = await served({
      "container.wait": () => ({ result: exit.promise, cancel: () => undefined }),
    });
    const client = server.dial(POST("/containers/web/wait?condition=next-exit"));
    const head = await client.until("\r\n\r\n");
    expect(head).toStartWith("HTTP/1.1 200 OK\r\n");
    expect(head).not.toContain("StatusCode");
    exit.resolve({ code: 7 });
    expect(await client.until('{"StatusCode":7}\n')).toContain('{"StatusCode":7}');
  });

  test("a failed start releases it with its error", async () => {
    await using server = await served({
      "container.wait": () => ({
        result: Promise.resolve({ code: 127, error: "no such file" }),
        cancel: () => undefined,
      }),
    });
    const response = await fetch("http://d/containers/web/wait", { unix: server.path, method: "POST" });
    expect(await response.json()).toEqual({ StatusCode: 127, Error: { Message: "no such file" } });
  });

  test("a client that leaves is forgotten", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    await using server = await served({
      "container.wait": () => ({ result: new Promise<never>(() => undefined), cancel: resolve }),
    });
    const client = server.dial(POST("/containers/web/wait"));
    await client.until("\r\n\r\n");
    client.socket.destroy();
    await promise;
  });
});

describe("logs", () => {
  test("followed, the head goes out without a line, lines at once, and a client that leaves ends it", async () => {
    const ready = Promise.withResolvers<ReturnType<typeof tap<Uint8Array>>>();
    await using server = await served({
      "container.logs": (_input, { signal }) => {
        const lines = tap<Uint8Array>(signal);
        ready.resolve(lines);
        return { tty: false, pieces: lines.items };
      },
    });
    const client = server.dial(GET("/v1.44/containers/web/logs?stdout=1&follow=1"));
    const head = await client.until("\r\n\r\n");
    expect(head).toContain("application/vnd.docker.multiplexed-stream");
    const lines = await ready.promise;
    lines.push(Buffer.from("\x01\0\0\0\0\0\0\x03hi\n"));
    expect(await client.until("hi\n")).toContain("\x01\0\0\0\0\0\0\x03hi\n");
    client.socket.destroy();
    await lines.givenUp;
  });

  test("with nothing in them are an empty 200", async () => {
    await using server = await served({
      "container.logs": () => ({ tty: true, pieces: (async function* () {})() }),
    });
    const response = await fetch("http://d/containers/web/logs?stdout=1", { unix: server.path });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  test.each([
    ["tail=5", { tail: 5 }],
    ["tail=all", {}],
    ["tail=-1", {}],
    ["tail=x", {}],
    ["since=1.5&until=2", { since: 1_500_000_000n, until: 2_000_000_000n }],
  ])("?%s", async (query, expected) => {
    await using server = await served({
      "container.logs": () => ({ tty: true, pieces: (async function* () {})() }),
    });
    await fetch(`http://d/containers/web/logs?stdout=1&${query}`, { unix: server.path });
    const plain = {
      ref: "web",
      follow: false,
      stdout: true,
      stderr: false,
      timestamps: false,
      details: false,
    };
    expect(server.engine.calls[0]?.input).toEqual({ ...plain, ...expected });
  });

  test("for a slow client are read no faster than it reads", async () => {
    let made = 0;
    const bytes = new Uint8Array(64 * 1024);
    await using server = await served({
      "container.logs": () => ({
        tty: true,
        pieces: (async function* () {
          for (; made < 2000; made++) yield bytes;
        })(),
      }),
    });
    const client = server.dial(GET("/containers/web/logs?stdout=1"));
    await client.until("\r\n\r\n");
    client.socket.pause();
    await fetch("http://d/_ping", { unix: server.path });
    let before = -1;
    while (before !== made) {
      before = made;
      for (let turn = 0; turn < 20; turn++) await fetch("http://d/_ping", { unix: server.path });
    }
    expect(made).toBeLessThan(500);
  });
});

describe("a client that leaves", () => {
  test("cancels its pull", async () => {
    const begun = Promise.withResolvers<void>();
    const cancelled = Promise.withResolvers<void>();
    await using server = await served({
      "image.pull": async (_input, { signal, report }) => {
        report({ kind: "status", status: "Pulling" });
        begun.resolve();
        signal.addEventListener("abort", () => cancelled.resolve());
        await cancelled.promise;
        throw signal.reason;
      },
    });
    const client = server.dial(POST("/images/create?fromImage=httpd&tag=latest"));
    await begun.promise;
    client.socket.destroy();
    await cancelled.promise;
  });

  test("does not cancel its stop", async () => {
    const begun = Promise.withResolvers<AbortSignal>();
    const go = Promise.withResolvers<void>();
    const done = Promise.withResolvers<boolean>();
    await using server = await served({
      "container.stop": async (_input, { signal }) => {
        begun.resolve(signal);
        await go.promise;
        done.resolve(signal.aborted);
        return { changed: true };
      },
    });
    const client = server.dial(POST("/containers/web/stop"));
    await begun.promise;
    const closed = new Promise((resolve) => client.socket.once("close", resolve));
    client.socket.destroy();
    await closed;
    await fetch("http://d/_ping", { unix: server.path });
    go.resolve();
    expect(await done.promise).toBe(false);
  });

  test("after sending half a head is of no consequence", async () => {
    await using server = await served({});
    server.dial("GET /_ping HT").socket.destroy();
    expect((await fetch("http://d/_ping", { unix: server.path })).status).toBe(200);
  });
});

describe("a connection", () => {
  test("serves several requests, also sent at once", async () => {
    await using server = await served({});
    const client = server.dial(GET("/_ping") + GET("/version") + GET("/_ping"));
    const reply = await client.until('"BuildTime"');
    expect(reply.indexOf("OK")).toBeLessThan(reply.indexOf("ApiVersion"));
  });

  test("that closes its half after the request still gets the reply", async () => {
    await using server = await served({});
    const client = server.dial(GET("/_ping"));
    client.socket.end();
    expect(await client.ended()).toContain("OK");
  });

  test("that speaks no HTTP is refused", async () => {
    await using server = await served({});
    expect(await server.dial("hello\r\n\r\n").ended()).toStartWith("HTTP/1.1 400 ");
  });

  test("whose Host is a path, as old clients on unix sockets send it, is served", async () => {
    await using server = await served({});
    const client = server.dial("GET /_ping HTTP/1.1\r\nHost: %2Fvar%2Frun%2Fdocker.sock\r\n\r\n");
    expect(await client.until("OK")).toStartWith("HTTP/1.1 200 ");
  });

  test("of HTTP/1.0 without a Host is served and closed", async () => {
    await using server = await served({});
    const reply = await server.dial("GET /_ping HTTP/1.0\r\n\r\n").ended();
    expect(reply).toContain("OK");
  });

  test("is told to go on before a body that it announces", async () => {
    await using server = await served({ "container.create": () => ({ id: "c", warnings: [] }) });
    const body = '{"Image":"httpd"}';
    const head = `POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`;
    const client = server.dial(head);
    await client.until("100 Continue");
    client.socket.write(body);
    expect(await client.until('{"Id":"c","Warnings":[]}')).toContain("HTTP/1.1 201 ");
  });

  test("may send a body in chunks", async () => {
    await using server = await served({ "container.create": () => ({ id: "c", warnings: [] }) });
    const head =
      "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    const client = server.dial(`${head}11\r\n{"Image":"httpd"}\r\n0\r\n\r\n`);
    expect(await client.until('{"Id":"c"')).toContain("HTTP/1.1 201 ");
  });
});

test("the progress of a pull that nobody reads keeps where each bar stands, and no more", async () => {
  const queue = new ProgressQueue();
  for (let current = 0; current < 10_000; current++)
    for (const id of ["a", "b"])
      queue.add({ kind: "status", status: "Downloading", id, current, total: 10_000 });
  queue.add({ kind: "status", status: "Download complete", id: "a" });
  expect(queue.length).toBeLessThan(600);
  queue.close();
  const lines = await Array.fromAsync(queue);
  expect(lines.at(-1)).toMatchObject({ status: "Download complete", id: "a" });
  expect(lines.filter(({ progressDetail }) => progressDetail?.current === 9999)).toHaveLength(2);
});
