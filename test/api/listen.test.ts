import { dlopen } from "bun:ffi";
import { expect, test } from "bun:test";
import { lstat, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { widenSocket } from "#host";
import { createApp, listen } from "#server";
import { fakeEngine } from "../fakes/jobs.ts";
import { scratch } from "../fakes/scratch.ts";
import { FACTS } from "../fakes/served.ts";

const app = createApp({ engine: fakeEngine({}), facts: FACTS });

test("a unix socket is for its owner and one group only, and is gone afterwards with all that made it", async () => {
  await using place = await scratch();
  const path = join(place.path, "deep", "bunker.sock");
  const listening = await listen({ app, hosts: [`unix://${path}`] });
  const { mode } = await lstat(path);
  expect((mode & 0o777).toString(8)).toBe("660");
  expect((await fetch("http://d/_ping", { unix: path })).status).toBe(200);
  expect(await readdir(join(place.path, "deep"))).toEqual(["bunker.sock"]);
  await listening[Symbol.asyncDispose]();
  expect(await readdir(join(place.path, "deep"))).toEqual([]);
});

test("what stands before the app stands before every socket, and what it adds to a reply goes out", async () => {
  await using place = await scratch();
  const path = join(place.path, "s");
  const guarded = {
    ...app,
    async fetch(request: Request, bindings = {}) {
      if (request.method === "POST") return new Response("refused", { status: 403 });
      const response = await app.fetch(request, bindings);
      response.headers.set("X-Seen", "yes");
      return response;
    },
  };
  await using _listening = await listen({ app: guarded, hosts: [`unix://${path}`] });
  const ping = await fetch("http://d/_ping", { unix: path });
  expect([ping.status, await ping.text(), ping.headers.get("X-Seen")]).toEqual([200, "OK", "yes"]);
  for (const target of ["/auth", "/containers/web/attach"])
    expect((await fetch(`http://d${target}`, { unix: path, method: "POST" })).status).toBe(403);
});

test("several hosts are served at once, and a port of 0 is chosen", async () => {
  await using place = await scratch();
  const path = join(place.path, "s");
  await using listening = await listen({
    app,
    hosts: [`unix://${path}`, "tcp://127.0.0.1:0", "tcp://[::1]:0"],
  });
  for (const address of listening.addresses.slice(1)) {
    expect(address).not.toEndWith(":0");
    expect(await (await fetch(`${address.replace("tcp", "http")}/_ping`)).text()).toBe("OK");
  }
});

test("a unix socket is widened for an archive, and for nothing else", async () => {
  await using place = await scratch();
  const path = join(place.path, "s");
  const types: Readonly<Record<string, string>> = {
    "/tar": "application/x-tar",
    "/json": "application/json",
  };
  const typed = {
    ...app,
    fetch: async (request: Request) => {
      const body = new Response("x").body;
      return new Response(body, { headers: { "Content-Type": types[new URL(request.url).pathname] ?? "" } });
    },
  };
  /** Source: asm-generic/socket.h. */
  const [SOL_SOCKET, SO_SNDBUF] = [1, 7];
  const { symbols: libc } = dlopen("libc.so.6", {
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  });
  const widened: number[] = [];
  const widen = (descriptor: number) => {
    if (process.getuid?.() === 0) expect(widenSocket(descriptor, 512 * 1024)).toBe(0);
    const value = new Int32Array(1);
    libc.getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, value, Int32Array.of(4));
    widened.push(value[0] ?? 0);
  };
  const hosts = [`unix://${path}`, "tcp://127.0.0.1:0"];
  await using listening = await listen({ app: typed, hosts, widen });
  const [, tcp = ""] = listening.addresses;
  await (await fetch("http://d/json", { unix: path })).text();
  await (await fetch(`${tcp.replace("tcp", "http")}/tar`)).text();
  expect(widened).toEqual([]);
  expect(await (await fetch("http://d/tar", { unix: path })).text()).toBe("x");
  expect(widened).toHaveLength(1);
  if (process.getuid?.() === 0) expect(widened).toEqual([512 * 1024]);
});

test("a socket that nobody answers on is replaced", async () => {
  await using place = await scratch();
  const path = join(place.path, "s");
  const dead = Bun.spawn(
    [
      process.execPath,
      "-e",
      `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`,
    ],
    { stderr: "ignore" },
  );
  await dead.exited;
  expect((await lstat(path)).isSocket()).toBe(true);
  await using _listening = await listen({ app, hosts: [`unix://${path}`] });
  expect((await fetch("http://d/_ping", { unix: path })).status).toBe(200);
});

test("a socket that somebody answers on is left alone, and nothing stays behind", async () => {
  await using place = await scratch();
  const path = join(place.path, "s");
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(path, resolve));
  await expect(listen({ app, hosts: [`unix://${path}`] })).rejects.toThrow("another program listens there");
  expect(await readdir(place.path)).toEqual(["s"]);
  other.close();
});

test("a file that is no socket is left alone", async () => {
  await using place = await scratch();
  const path = join(place.path, "s");
  await writeFile(path, "precious");
  await expect(listen({ app, hosts: [`unix://${path}`] })).rejects.toThrow("no socket");
  expect(await Bun.file(path).text()).toBe("precious");
});

test("when one host cannot be had, none is", async () => {
  await using place = await scratch();
  const path = join(place.path, "s");
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const address = taken.address();
  const port = typeof address === "object" ? address?.port : 0;
  const hosts = [`unix://${path}`, `tcp://127.0.0.1:${port}`];
  await expect(listen({ app, hosts })).rejects.toThrow(`Cannot listen on tcp://127.0.0.1:${port}`);
  expect(await readdir(place.path)).toEqual([]);
  taken.close();
});

test.each(["http://127.0.0.1:1", "unix://relative", "tcp://127.0.0.1", "nonsense"])(
  "%s is no host",
  async (host) => {
    await expect(listen({ app, hosts: [host] })).rejects.toThrow("Cannot listen on");
  },
);

const isRoot = process.getuid?.() === 0;
test.skipIf(!isRoot)(
  `a group that does not exist is refused${isRoot ? "" : " (skipped: only root gives sockets away)"}`,
  async () => {
    await using place = await scratch();
    const hosts = [`unix://${join(place.path, "s")}`];
    await expect(listen({ app, hosts, group: "no-such-group" })).rejects.toThrow("there is no such group");
  },
);

test("another daemon's socket on the same path survives the end of the first", async () => {
  await using place = await scratch();
  const path = join(place.path, "s");
  const first = await listen({ app, hosts: [`unix://${path}`] });
  await Bun.file(path).delete();
  await using _second = await listen({ app, hosts: [`unix://${path}`] });
  await first[Symbol.asyncDispose]();
  expect((await fetch("http://d/_ping", { unix: path })).status).toBe(200);
});
