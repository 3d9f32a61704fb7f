import { describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { Fault } from "#errors";
import type { Jobs } from "#jobs";
import { Client, served } from "../fakes/served.ts";
import { socketPair } from "../fakes/socket-pair.ts";

const CALL = "/v1.50/bunker/containers/run?name=box&condition=removed";
const BODY = { Image: "img", AttachStdin: true, AttachStdout: true, AttachStderr: true, OpenStdin: true };
const UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
const post = (target: string, { body = BODY as object, headers = UPGRADE } = {}) => {
  const text = JSON.stringify(body);
  const fields = `Content-Type: application/json\r\nContent-Length: ${text.length}\r\n${headers}`;
  return `POST ${target} HTTP/1.1\r\nHost: d\r\n${fields}\r\n${text}`;
};

/** Jobs of one container whose program is the far end of a pair of sockets. */
async function container({ start = () => ({ changed: true }) }: Partial<Made> = {}) {
  const pair = await socketPair();
  const over = Promise.withResolvers<{ code: number }>();
  const forgotten = Promise.withResolvers<string>();
  const jobs = {
    "container.create": () => ({ id: "c1", warnings: ["no swap"] }),
    "container.attach": () => ({ tty: false, open: Promise.resolve(pair.near), cancel: () => undefined }),
    "container.wait": () => ({ result: over.promise, cancel: () => forgotten.resolve("the wait") }),
    "container.start": start,
  };
  return { pair, jobs, over, forgotten: forgotten.promise };
}

interface Made {
  readonly start: () => Jobs["container.start"]["output"];
}

function next(socket: Socket): Promise<string> {
  return new Promise((resolve) => socket.once("data", (chunk: Buffer) => resolve(chunk.toString())));
}

describe("a container created, attached, waited for and started in one call", () => {
  test("takes input, and tells its exit code after the last of its output and when it is gone", async () => {
    const { pair, jobs, over } = await container();
    await using _pair = pair;
    await using server = await served(jobs);
    const client = server.dial(`${post(CALL)}input`);
    expect(await next(pair.far)).toBe("input");
    expect(await client.until("\r\n\r\n")).toMatch(
      /^HTTP\/1\.1 101 .*\r\nBunker-Run: c1\r\nBunker-Warnings: %5B%22no%20swap%22%5D\r\n/s,
    );
    pair.far.end("\x01\0\0\0\0\0\0\x03out");
    await client.until("out");
    over.resolve({ code: 7 });
    expect(await client.ended()).toEndWith("\x01\0\0\0\0\0\0\x03out\x04\0\0\0\0\0\0\x017");
    expect(server.engine.calls.map(({ name, input }) => [name, input])).toMatchObject([
      ["container.create", { name: "box", spec: { image: "img" } }],
      ["container.attach", { ref: "c1", stdin: true, stdout: true, stderr: true, stream: true, logs: false }],
      ["container.wait", { ref: "c1", condition: "removed" }],
      ["container.start", { ref: "c1" }],
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

  test("that was let in already, and could then not be started, says why as well", async () => {
    const { promise: failed, reject } = Promise.withResolvers<{ changed: boolean }>();
    const { jobs, pair } = await container();
    await using _pair = pair;
    await using server = await served({ ...jobs, "container.start": () => failed });
    const client = server.dial(`${post(CALL)}never read`);
    pair.far.write("\x01\0\0\0\0\0\0\x03out");
    await client.until("out");
    // What was sent to it and not read makes the kernel break the connection.
    pair.far.destroy();
    reject(new Fault("invalid", "no such file"));
    expect(await client.ended()).toEndWith("out\x03\0\0\0\0\0\0\x0cno such file");
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
    ["a condition that a new container is in", post(CALL.replace("removed", "not-running")), "400"],
    ["a terminal", post(CALL, { body: { ...BODY, Tty: true } }), "400"],
    ["whoever does not ask for the connection", post(CALL, { headers: "" }), "404"],
  ])("is not for %s", async (_title, text, status) => {
    const { pair, jobs } = await container();
    await using _pair = pair;
    await using server = await served(jobs);
    const client = server.dial(text);
    expect(await client.until("}\n")).toStartWith(`HTTP/1.1 ${status} `);
    expect(server.engine.calls).toEqual([]);
  });

  test("that cannot be created is answered as Docker's create is", async () => {
    const { pair, jobs } = await container();
    await using _pair = pair;
    const create = () => {
      throw new Fault("not_found", "No such image: img:latest");
    };
    await using server = await served({ ...jobs, "container.create": create });
    const client = server.dial(post(CALL));
    expect(await client.until("}\n")).toStartWith("HTTP/1.1 404 ");
    expect(server.engine.calls.map(({ name }) => name)).toEqual(["container.create"]);
  });
});
