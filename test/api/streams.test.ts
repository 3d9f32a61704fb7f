import { describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { Fault } from "#errors";
import type { Jobs } from "#jobs";
import { Client, served } from "../fakes/served.ts";
import { socketPair } from "../fakes/socket-pair.ts";

const UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
const ATTACH = "/containers/web/attach?stream=1&stdin=1&stdout=1&stderr=1";

function post(target: string, { headers = "", body = "" } = {}): string {
  return `POST ${target} HTTP/1.1\r\nHost: d\r\n${headers}\r\n${body}`;
}

/** Jobs of one container whose program is the far end of a pair of sockets. */
async function attached(tty: boolean) {
  const pair = await socketPair();
  const cancelled = Promise.withResolvers<void>();
  const jobs = {
    "container.attach": () => ({ tty, open: Promise.resolve(pair.near), cancel: cancelled.resolve }),
  };
  return { pair, jobs, cancelled: cancelled.promise };
}

function next(socket: Socket): Promise<string> {
  return new Promise((resolve) => socket.once("data", (chunk: Buffer) => resolve(chunk.toString())));
}

test.each([
  ["1.41", false, "application/vnd.docker.raw-stream"],
  ["1.42", false, "application/vnd.docker.multiplexed-stream"],
  ["1.42", true, "application/vnd.docker.raw-stream"],
])("attach at %s with tty %p is upgraded to %s", async (version, tty, type) => {
  const { pair, jobs } = await attached(tty);
  await using _pair = pair;
  await using server = await served(jobs);
  const client = server.dial(post(`/v${version}${ATTACH}`, { headers: UPGRADE }));
  const head = await client.until("\r\n\r\n");
  expect(head).toStartWith("HTTP/1.1 101 UPGRADED\r\n");
  expect(head).toContain(`Content-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n`);
  expect(head).toContain("Api-Version: 1.56\r\n");
});

test("attach without an upgrade is a plain 200, and the connection is taken over all the same", async () => {
  const { pair, jobs } = await attached(false);
  await using _pair = pair;
  await using server = await served(jobs);
  const client = server.dial(post(ATTACH, { body: "early" }));
  expect(await next(pair.far)).toBe("early");
  pair.far.end("output");
  const reply = await client.ended();
  expect(reply).toStartWith("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n");
  expect(reply).not.toMatch(/transfer-encoding|content-length/i);
  expect(reply).toEndWith("\r\n\r\noutput");
});

test("the end of the input reaches the program, and its output goes on until it ends", async () => {
  const { pair, jobs } = await attached(false);
  await using _pair = pair;
  await using server = await served(jobs);
  const client = server.dial(post(ATTACH, { headers: UPGRADE, body: "one" }));
  const got: Buffer[] = [];
  pair.far.on("data", (chunk: Buffer) => got.push(chunk));
  const ended = new Promise((resolve) => pair.far.once("end", resolve));
  await client.until("\r\n\r\n");
  client.socket.end("two");
  await ended;
  expect(Buffer.concat(got).toString()).toBe("onetwo");
  pair.far.write("late ");
  await client.until("late ");
  pair.far.end("output");
  expect(await client.ended()).toEndWith("late output");
});

test("a megabyte passes both ways unchanged", async () => {
  const { pair, jobs } = await attached(false);
  await using _pair = pair;
  await using server = await served(jobs);
  const client = server.dial(post(ATTACH, { headers: UPGRADE }));
  await client.until("\r\n\r\n");
  const before = client.received.length;
  const data = Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)))
    .toString("latin1")
    .repeat(16);
  pair.far.pipe(pair.far);
  client.socket.end(Buffer.from(data, "latin1"));
  expect((await client.ended()).slice(before) === data).toBe(true);
});

test("a client of a stopped reader makes the program wait, not the daemon remember", async () => {
  const { pair, jobs } = await attached(false);
  await using _pair = pair;
  await using server = await served(jobs);
  const client = server.dial(post(ATTACH, { headers: UPGRADE }));
  await client.until("\r\n\r\n");
  client.socket.pause();
  const block = Buffer.alloc(1024 * 1024);
  let sent = 0;
  while (pair.far.write(block) && sent < 64) sent += 1;
  expect(sent).toBeLessThan(64);
  expect(pair.far.writableNeedDrain).toBe(true);
});

test("a client that goes away takes only its own connection along", async () => {
  const { pair, jobs } = await attached(false);
  await using _pair = pair;
  await using server = await served(jobs);
  const client = server.dial(post(ATTACH, { headers: UPGRADE }));
  await client.until("\r\n\r\n");
  const closed = new Promise((resolve) => pair.far.once("close", resolve));
  pair.far.on("error", () => undefined).resume();
  client.socket.destroy();
  pair.far.write("x");
  pair.far.once("end", () => pair.far.end());
  await closed;
  expect(server.engine.calls.map(({ name }) => name)).toEqual(["container.attach"]);
});

test("the detach keys end the stream of a terminal, and are not typed into it", async () => {
  const { pair, jobs } = await attached(true);
  await using _pair = pair;
  await using server = await served(jobs);
  const client = server.dial(post(`${ATTACH}&detachKeys=ctrl-a,d`, { headers: UPGRADE }));
  const got: Buffer[] = [];
  pair.far.on("data", (chunk: Buffer) => got.push(chunk));
  const ended = new Promise((resolve) => pair.far.once("end", resolve));
  await client.until("\r\n\r\n");
  client.socket.write("abc\x01d");
  await client.ended();
  await ended;
  expect(Buffer.concat(got).toString()).toBe("abc");
});

test("attach with malformed detach keys is refused before anything is joined", async () => {
  const { pair, jobs } = await attached(true);
  await using _pair = pair;
  await using server = await served(jobs);
  const client = server.dial(post(`${ATTACH}&detachKeys=nonsense`, { headers: UPGRADE }));
  expect(await client.ended()).toStartWith("HTTP/1.1 400 ");
  expect(server.engine.calls).toEqual([]);
});

test("an attach that fails is an ordinary reply with its status", async () => {
  await using server = await served({});
  const client = server.dial(post(ATTACH, { headers: UPGRADE }));
  const reply = await client.ended();
  expect(reply).toStartWith("HTTP/1.1 501 ");
  expect(reply).toContain('{"message":"The job container.attach is not supported');
});

test("a client whose connection breaks before the container starts is forgotten", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const never = new Promise<never>(() => undefined);
  await using server = await served({
    "container.attach": () => ({ tty: false, open: never, cancel: resolve }),
  });
  const client = new Client(connect({ host: "127.0.0.1", port: server.port }));
  client.socket.write(post("/containers/web/attach?stream=1&stdout=1", { headers: UPGRADE }));
  await client.until("\r\n\r\n");
  client.socket.resetAndDestroy();
  await promise;
});

test("a stream that cannot be opened any more ends", async () => {
  await using server = await served({
    "container.attach": () => ({
      tty: false,
      open: Promise.reject(new Error("removed")),
      cancel: () => undefined,
    }),
  });
  const client = server.dial(post(ATTACH, { headers: UPGRADE }));
  expect(await client.ended()).toStartWith("HTTP/1.1 101 ");
});

test("attach with logs alone sends what was logged, framed, and ends", async () => {
  const backlog = (async function* () {
    yield Buffer.from("\x01\0\0\0\0\0\0\x04old\n");
  })();
  const open = Promise.withResolvers<never>();
  await using server = await served({
    "container.attach": () => ({ tty: false, backlog, open: open.promise, cancel: () => undefined }),
  });
  const client = server.dial(post("/containers/web/attach?logs=1&stdout=1", { headers: UPGRADE }));
  expect(await client.ended()).toEndWith("\r\n\r\n\x01\0\0\0\0\0\0\x04old\n");
});

const SPEC: Jobs["exec.inspect"]["output"]["spec"] = {
  args: ["cat"],
  env: [],
  user: "",
  workingDirectory: "",
  tty: false,
  privileged: false,
  attachStdin: true,
  attachStdout: true,
  attachStderr: true,
  detachKeys: "",
};

const VIEW = {
  id: "e",
  containerId: "c",
  spec: SPEC,
  isRunning: false,
  exitCode: null,
  pid: 0,
  canRemove: false,
};
const EXITED = new Promise<never>(() => undefined);

test.each([
  ["with its length", "Content-Length: 30\r\n", '{"Detach":false,"Tty":false } ', UPGRADE],
  [
    "in chunks",
    "Transfer-Encoding: chunked\r\n",
    '10\r\n{"Detach":false,\r\ne\r\n"Tty":false } \r\n0\r\n\r\n',
    UPGRADE,
  ],
  ["with its length and no upgrade", "Content-Length: 30\r\n", '{"Detach":false,"Tty":false } ', ""],
])("the body of exec start comes %s, and what follows is input", async (_name, length, body, upgrade) => {
  await using pair = await socketPair();
  await using server = await served({
    "exec.inspect": () => VIEW,
    "exec.start": () => ({ tty: false, stream: pair.near, exited: EXITED }),
  });
  const headers = `Content-Type: application/json\r\n${length}${upgrade}`;
  server.dial(post("/v1.44/exec/e/start", { headers, body: `${body}input` }));
  expect(await next(pair.far)).toBe("input");
  expect(server.engine.calls.at(-1)).toEqual({
    name: "exec.start",
    input: { id: "e", attach: true, tty: false },
  });
});

test("a program that cannot be run says so in the stream", async () => {
  await using server = await served({
    "exec.inspect": () => VIEW,
    "exec.start": () => ({ tty: false, failure: "executable file not found in $PATH", exited: EXITED }),
  });
  const client = server.dial(post("/exec/e/start", { headers: `Content-Length: 0\r\n${UPGRADE}` }));
  expect(await client.ended()).toEndWith("\x01\0\0\0\0\0\0\x24executable file not found in $PATH\r\n");
});

describe("a command created, started and attached in one call", () => {
  const CALL = "/v1.50/bunker/containers/c/exec";
  const request = (wanted: object, upgrade = UPGRADE) => {
    const body = JSON.stringify({ Cmd: ["cat"], AttachStdin: true, AttachStdout: true, ...wanted });
    const headers = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n${upgrade}`;
    return post(CALL, { headers, body });
  };
  const made = { "exec.create": () => ({ id: "e1" }) };

  test("takes input, and tells its exit code after the last of its output", async () => {
    await using pair = await socketPair();
    const exited = Promise.withResolvers<Awaited<Jobs["exec.start"]["output"]["exited"]>>();
    await using server = await served({
      ...made,
      "exec.start": () => ({ tty: false, stream: pair.near, exited: exited.promise }),
    });
    const client = server.dial(`${request({})}input`);
    expect(await next(pair.far)).toBe("input");
    expect(await client.until("\r\n\r\n")).toMatch(/^HTTP\/1\.1 101 .*\r\nBunker-Exec: e1\r\n/s);
    pair.far.end("\x01\0\0\0\0\0\0\x03out");
    await client.until("out");
    exited.resolve({ code: 137, outOfMemory: false, time: 0n });
    expect(await client.ended()).toEndWith("\x01\0\0\0\0\0\0\x03out\x04\0\0\0\0\0\0\x03137");
    expect(server.engine.calls.map(({ name }) => name)).toEqual(["exec.create", "exec.start"]);
  });

  test("says why it cannot be run, and tells that code too", async () => {
    const exited = Promise.resolve({ code: 127, outOfMemory: false, time: 0n });
    await using server = await served({
      ...made,
      "exec.start": () => ({ tty: false, failure: "not found", exited }),
    });
    const client = server.dial(request({}));
    expect(await client.ended()).toEndWith("\x0bnot found\r\n\x04\0\0\0\0\0\0\x03127");
  });

  test("that cannot be begun ends with 126, and its reason in the stream", async () => {
    await using server = await served({
      ...made,
      "exec.start": () => {
        throw new Fault("conflict", "it has ended");
      },
    });
    const client = server.dial(request({}));
    expect(await client.ended()).toEndWith("\x0eit has ended\r\n\x04\0\0\0\0\0\0\x03126");
  });

  test.each([
    ["keys that there are not", request({ DetachKeys: "ctrl-" }), "400"],
    ["whoever does not ask for the connection", request({}, ""), "404"],
    ["a terminal", request({ Tty: true }), "400"],
    ["no command", request({ Cmd: [] }), "400"],
  ])("is not for %s", async (_title, text, status) => {
    await using server = await served(made);
    const client = server.dial(text);
    expect(await client.until("}\n")).toStartWith(`HTTP/1.1 ${status} `);
    expect(server.engine.calls).toEqual([]);
  });
});

test("the reply to an exec begins before its program does, so that no output comes with the head", async () => {
  const begun = Promise.withResolvers<Jobs["exec.start"]["output"]>();
  await using server = await served({ "exec.inspect": () => VIEW, "exec.start": () => begun.promise });
  const client = server.dial(post("/exec/e/start", { headers: `Content-Length: 0\r\n${UPGRADE}` }));
  await client.until("\r\n\r\n");
  begun.reject(new Error("it has gone"));
  expect(await client.ended()).toEndWith("it has gone\r\n");
});

test("a detached exec is answered without giving the connection away", async () => {
  await using server = await served({ "exec.start": () => ({ tty: false, exited: EXITED }) });
  const body = '{"Detach":true}';
  const headers = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  const client = server.dial(post("/exec/e/start", { headers, body }));
  expect(await client.ended()).toStartWith("HTTP/1.1 200 ");
});

test.each([
  ["cut short", "Content-Length: 5\r\n", "{"],
  ["not JSON", "Content-Type: application/json\r\nContent-Length: 5\r\n", "{abc}"],
  ["of an impossible length", "Content-Length: 99999999999\r\n", "{}"],
  ["in no chunks", "Transfer-Encoding: chunked\r\n", "zz\r\n"],
])("a body of exec start that is %s is a 400", async (_name, headers, body) => {
  await using server = await served({ "exec.inspect": () => VIEW });
  const client = server.dial(post("/exec/e/start", { headers: headers + UPGRADE, body }));
  client.socket.end();
  expect(await client.ended()).toStartWith("HTTP/1.1 400 ");
});

test("a second attach on a kept connection is answered without the connection being taken", async () => {
  const { pair, jobs } = await attached(false);
  await using _pair = pair;
  await using server = await served(jobs);
  const client = server.dial("GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n");
  await client.until("OK");
  client.socket.write(post(ATTACH, { headers: "Content-Length: 5\r\n", body: "input" }));
  expect(await next(pair.far)).toBe("input");
  pair.far.end("output");
  expect(await client.until("output")).toContain("HTTP/1.1 200 OK");
});

test("a client that offers HTTP/2 with each request is answered as usual", async () => {
  await using server = await served({});
  const h2 =
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
  const client = server.dial(`GET /_ping HTTP/1.1\r\nHost: d\r\n${h2}\r\n`);
  expect(await client.until("OK")).toStartWith("HTTP/1.1 200 OK\r\n");
});
