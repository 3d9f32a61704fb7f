import { describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { Fault } from "#errors";
import type { Jobs } from "#jobs";
import { Client, served } from "../fakes/served.ts";
import { socketPair } from "../fakes/socket-pair.ts";

const CALL = "/v1.50/bunker/containers/c/run?stdin=1&stdout=1&stderr=1&condition=removed";
const UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
const post = (target: string, headers = UPGRADE) => `POST ${target} HTTP/1.1\r\nHost: d\r\n${headers}\r\n`;

/** Jobs of one container whose program is the far end of a pair of sockets. */
async function container({ tty = false, start = () => ({ changed: true }) }: Partial<Made> = {}) {
  const pair = await socketPair();
  const over = Promise.withResolvers<{ code: number }>();
  const forgotten = Promise.withResolvers<string>();
  const jobs = {
    "container.attach": () => ({ tty, open: Promise.resolve(pair.near), cancel: () => undefined }),
    "container.wait": () => ({ result: over.promise, cancel: () => forgotten.resolve("the wait") }),
    "container.start": start,
  };
  return { pair, jobs, over, forgotten: forgotten.promise };
}

interface Made {
  readonly tty: boolean;
  readonly start: () => Jobs["container.start"]["output"];
}

function next(socket: Socket): Promise<string> {
  return new Promise((resolve) => socket.once("data", (chunk: Buffer) => resolve(chunk.toString())));
}

describe("a container attached, waited for and started in one call", () => {
  test("takes input, and tells its exit code after the last of its output and when it is gone", async () => {
    const { pair, jobs, over } = await container();
    await using _pair = pair;
    await using server = await served(jobs);
    const client = server.dial(`${post(CALL)}input`);
    expect(await next(pair.far)).toBe("input");
    expect(await client.until("\r\n\r\n")).toMatch(/^HTTP\/1\.1 101 .*\r\nBunker-Run: 1\r\n/s);
    pair.far.end("\x01\0\0\0\0\0\0\x03out");
    await client.until("out");
    over.resolve({ code: 7 });
    expect(await client.ended()).toEndWith("\x01\0\0\0\0\0\0\x03out\x04\0\0\0\0\0\0\x017");
    expect(server.engine.calls.map(({ name, input }) => [name, input])).toMatchObject([
      ["container.attach", { ref: "c", stdin: true, stdout: true, stderr: true, stream: true, logs: false }],
      ["container.wait", { ref: "c", condition: "removed" }],
      ["container.start", { ref: "c" }],
    ]);
  });

  test("that cannot be started says why in the last frame", async () => {
    const { promise: open, reject } = Promise.withResolvers<Socket>();
    const { jobs, pair } = await container({
      start: () => {
        throw new Fault("invalid", "no such file");
      },
    });
    await using _pair = pair;
    const cancel = () => reject(new Fault("cancelled", "given up"));
    await using server = await served({
      ...jobs,
      "container.attach": () => ({ tty: false, open, cancel }),
    });
    const client = server.dial(post(CALL));
    expect(await client.ended()).toEndWith("\r\n\r\n\x03\0\0\0\0\0\0\x0cno such file");
  });

  test("is no more waited for when its client has gone", async () => {
    const { pair, jobs, forgotten } = await container();
    await using _pair = pair;
    await using server = await served(jobs);
    const client = new Client(connect({ host: "127.0.0.1", port: server.port }));
    client.socket.write(post(CALL));
    await client.until("\r\n\r\n");
    client.socket.resetAndDestroy();
    expect(await forgotten).toBe("the wait");
  });

  test.each([
    ["an unknown condition", post(CALL.replace("removed", "sometime")), "400"],
    ["keys that there are not", post(`${CALL}&detachKeys=nonsense`), "400"],
    ["whoever does not ask for the connection", post(CALL, "Content-Length: 0\r\n"), "404"],
  ])("is not for %s", async (_title, text, status) => {
    const { pair, jobs } = await container();
    await using _pair = pair;
    await using server = await served(jobs);
    const client = server.dial(text);
    expect(await client.until("}\n")).toStartWith(`HTTP/1.1 ${status} `);
    expect(server.engine.calls).toEqual([]);
  });

  test("is not for a terminal", async () => {
    const { pair, jobs } = await container({ tty: true });
    await using _pair = pair;
    await using server = await served(jobs);
    const client = server.dial(post(CALL));
    expect(await client.until("}\n")).toStartWith("HTTP/1.1 400 ");
    expect(server.engine.calls.map(({ name }) => name)).toEqual(["container.attach"]);
  });
});
