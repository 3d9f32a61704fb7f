import { describe, expect, test } from "bun:test";
import { FrameReader, frame, OPCODE, ProtocolError } from "../../src/server/websocket-frames.ts";
import { type Served, served } from "../fakes/served.ts";
import { socketPair } from "../fakes/socket-pair.ts";

const PATH = "/containers/web/attach/ws?stream=1&stdin=1&stdout=1&stderr=1";
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const UPGRADE = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n`;
const MASK = Buffer.from([1, 2, 3, 4]);

const get = (target: string, headers = UPGRADE) => `GET ${target} HTTP/1.1\r\nHost: d\r\n${headers}\r\n`;
/** As a daemon sends the output of a container without a terminal. */
const output = (number: 1 | 2, text: string) =>
  Buffer.concat([Buffer.from([number, 0, 0, 0, 0, 0, 0, text.length]), Buffer.from(text)]);

/** A frame as clients send it. `first` is opcode and final bit. */
function masked(first: number, text: string): Buffer {
  const payload = Buffer.from(text, "latin1").map((byte, at) => byte ^ (MASK[at & 3] ?? 0));
  const head = Buffer.from(frame(0, payload).subarray(0, -payload.length || undefined));
  head[0] = first;
  head[1] = (head[1] ?? 0) | 0x80;
  return Buffer.concat([head, MASK, payload]);
}

async function attached(tty = false) {
  const pair = await socketPair();
  const server = await served({
    "container.attach": () => ({ tty, open: Promise.resolve(pair.near), cancel: () => undefined }),
  });
  return {
    pair,
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await pair[Symbol.asyncDispose]();
    },
  };
}

function open({ port }: Served, path: string): WebSocket {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
  socket.binaryType = "arraybuffer";
  return socket;
}

/** What comes next: the text of a message, and whether it was binary. */
function next(socket: WebSocket): Promise<readonly [string, "binary" | "text"]> {
  return new Promise((resolve, reject) => {
    socket.addEventListener("close", () => reject(new Error("closed")), { once: true });
    socket.addEventListener(
      "message",
      ({ data }) =>
        resolve(typeof data === "string" ? [data, "text"] : [Buffer.from(data).toString(), "binary"]),
      { once: true },
    );
  });
}

describe("attach over a websocket", () => {
  test("is bytes both ways in binary messages, and ends as the container does", async () => {
    await using it = await attached();
    const client = open(it.server, PATH);
    const first = next(client);
    it.pair.far.write(output(1, "out"));
    expect(await first).toEqual(["out", "binary"]);
    const second = next(client);
    it.pair.far.write(output(2, "err"));
    expect(await second).toEqual(["err", "binary"]);
    const input = new Promise<string>((resolve) =>
      it.pair.far.once("data", (chunk: Buffer) => resolve(chunk.toString())),
    );
    client.send("typed");
    expect(await input).toBe("typed");
    const closed = new Promise<number>((resolve) =>
      client.addEventListener("close", ({ code }) => resolve(code)),
    );
    it.pair.far.end();
    expect(await closed).toBe(1000);
    const [call] = it.server.engine.calls;
    expect(call?.input).toMatchObject({ ref: "web", stream: true, stdin: true, stdout: true, stderr: true });
  });

  test("of a terminal carries its output as it comes", async () => {
    await using it = await attached(true);
    const client = open(it.server, PATH);
    const first = next(client);
    it.pair.far.write("\x01\0raw");
    expect(await first).toEqual(["\x01\0raw", "binary"]);
    client.close();
  });

  test("begins with what was logged before, without its frames as well", async () => {
    const backlog = (async function* () {
      yield Buffer.concat([output(1, "old\n"), output(2, "older\n")]);
    })();
    await using server = await served({
      "container.attach": () => ({
        tty: false,
        backlog,
        open: new Promise(() => {}),
        cancel: () => undefined,
      }),
    });
    const client = open(server, "/containers/web/attach/ws?logs=1&stdout=1&stderr=1");
    let text = "";
    while (text.length < 10) text += (await next(client))[0];
    expect(text).toBe("old\nolder\n");
    client.close();
  });

  test.each([
    ["/v1.27", "text"],
    ["/v1.28", "binary"],
  ] as const)("at %s is %s, and of all streams unless it may choose", async (version, kind) => {
    await using it = await attached();
    const client = open(it.server, `${version}/containers/web/attach/ws?stream=1`);
    const first = next(client);
    it.pair.far.write(output(1, "out"));
    expect(await first).toEqual(["out", kind]);
    client.close();
    expect(it.server.engine.calls[0]?.input).toMatchObject({ stdin: true, stdout: true, stderr: true });
  });

  test("that the client closes ends the input, and lets the container be", async () => {
    await using it = await attached();
    const client = open(it.server, PATH);
    const ended = new Promise((resolve) => it.pair.far.once("end", resolve));
    const got: Buffer[] = [];
    it.pair.far.on("data", (chunk: Buffer) => got.push(chunk));
    await new Promise((resolve) => client.addEventListener("open", resolve));
    client.send("last");
    client.close();
    await ended;
    expect(Buffer.concat(got).toString()).toBe("last");
  });

  test("a megabyte passes both ways unchanged", async () => {
    await using it = await attached(true);
    const client = open(it.server, PATH);
    await new Promise((resolve) => client.addEventListener("open", resolve));
    // Without the first of the detach keys.
    const data = Buffer.from(crypto.getRandomValues(new Uint8Array(65_536))).map((byte) => byte | 0x20);
    const whole = Buffer.concat(Array.from({ length: 16 }, () => data));
    const got: Buffer[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    client.addEventListener("message", ({ data: chunk }) => {
      got.push(Buffer.from(chunk as ArrayBuffer));
      if (got.reduce((sum, { length }) => sum + length, 0) >= whole.length) resolve();
    });
    it.pair.far.pipe(it.pair.far);
    client.send(whole);
    await promise;
    expect(Buffer.concat(got).equals(whole)).toBe(true);
    client.close();
  });
});

describe("a raw client", () => {
  test("is accepted by its key, answered when it pings, and closed in turn", async () => {
    await using it = await attached();
    const client = it.server.dial(get(PATH));
    const head = await client.until("\r\n\r\n");
    expect(head).toStartWith(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
    );
    expect(head).toContain("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
    client.socket.write(masked(0x80 | OPCODE.ping, "hello"));
    await client.until("\x8a\x05hello");
    client.socket.write(masked(0x80 | OPCODE.close, "\x03\xe8"));
    expect(await client.ended()).toEndWith("\x88\x02\x03\xe8");
  });

  test.each([
    ["unmasked", "\x82\x01x"],
    ["of a kind that is none", "\x83\x80\x01\x02\x03\x04"],
    ["with a reserved bit", "\xc2\x80\x01\x02\x03\x04"],
    ["a ping in parts", "\x09\x80\x01\x02\x03\x04"],
    ["a rest of nothing", "\x80\x80\x01\x02\x03\x04"],
    ["longer than can be counted", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04"],
  ])("that sends a frame %s is closed with 1002", async (_name, bytes) => {
    await using it = await attached();
    const client = it.server.dial(get(PATH));
    await client.until("\r\n\r\n");
    client.socket.write(Buffer.from(bytes, "latin1"));
    expect(await client.ended()).toEndWith("\x88\x02\x03\xea");
  });

  test.each([
    ["names no protocol", get(PATH, ""), 400],
    ["names another", get(PATH, "Connection: Upgrade\r\nUpgrade: tcp\r\n"), 400],
    ["has no key", get(PATH, UPGRADE.replace(KEY, "")), 400],
    ["speaks an old version", get(PATH, UPGRADE.replace("13", "8")), 400],
    ["is a page of another site", get(PATH, `Origin: http://evil.example\r\n${UPGRADE}`), 403],
    ["is a page that hides its site", get(PATH, `Origin: null\r\n${UPGRADE}`), 403],
    ["has detach keys that are none", get(`${PATH}&detachKeys=nonsense`), 400],
  ])("that %s is refused before anything is joined", async (_name, request, status) => {
    await using it = await attached();
    const client = it.server.dial(request);
    expect(await client.until('{"message":"')).toStartWith(`HTTP/1.1 ${status} `);
    expect(it.server.engine.calls).toEqual([]);
  });

  test.each(["http://d", "https://d:443"])("of the origin %s is served", async (origin) => {
    await using it = await attached();
    const client = it.server.dial(get(PATH, `Origin: ${origin}\r\n${UPGRADE}`));
    expect(await client.until("\r\n\r\n")).toStartWith("HTTP/1.1 101 ");
  });
});

describe("frames", () => {
  function read(...chunks: readonly Uint8Array[]) {
    const heard: string[] = [];
    const reader = new FrameReader({
      data: (bytes) => heard.push(bytes.toString("latin1")),
      ping: (bytes) => heard.push(`ping ${bytes.toString("latin1")}`),
      close: () => heard.push("close"),
    });
    for (const chunk of chunks) reader.feed(Buffer.from(chunk));
    return heard;
  }

  const MESSAGE = Buffer.concat([
    masked(OPCODE.text, "one "),
    masked(0x80 | OPCODE.ping, "p"),
    masked(0x80 | OPCODE.continuation, "two"),
    masked(0x80 | OPCODE.binary, ""),
    masked(0x80 | OPCODE.close, ""),
    masked(0x80 | OPCODE.text, "after"),
  ]);

  test("of a message in parts are its parts, with what comes between; nothing comes after the close", () => {
    expect(read(MESSAGE)).toEqual(["one ", "ping p", "two", "close"]);
  });

  test("may come byte by byte", () => {
    const heard = read(...[...MESSAGE].map((byte) => Buffer.from([byte])));
    expect(heard.join("")).toBe("one ping ptwoclose");
  });

  test.each([125, 126, 65_535, 65_536])("of %p bytes have their length in the form it needs", (length) => {
    const text = "x".repeat(length);
    expect(read(masked(0x80 | OPCODE.binary, text)).join("")).toBe(text);
    expect(frame(OPCODE.binary, Buffer.from(text)).length).toBe(
      length + (length < 126 ? 2 : length < 65_536 ? 4 : 10),
    );
  });

  test("that break the protocol end the reading", () => {
    const reader = new FrameReader({ data: () => {}, ping: () => {}, close: () => {} });
    expect(() => reader.feed(Buffer.from([0x82, 0x00]))).toThrow(ProtocolError);
    expect(() => reader.feed(Buffer.from([0x82, 0x00]))).not.toThrow();
  });
});
