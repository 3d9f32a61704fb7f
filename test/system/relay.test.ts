import { expect, test } from "bun:test";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { resolve } from "node:path";

const LAUNCHER = resolve(import.meta.dir, "../../dist/launcher");
const MANY_BYTES = 16 << 20;
const missing = Bun.which("ss") === null ? "needs ss of iproute2" : undefined;

interface Relay extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
}

function listening(answer: (socket: Socket) => void): Promise<{ port: number; close(): void }> {
  return new Promise((settle) => {
    const server = createServer({ allowHalfOpen: true }, answer);
    server.listen(0, "127.0.0.1", () =>
      settle({ port: (server.address() as AddressInfo).port, close: () => server.close() }),
    );
  });
}

/** A relay on a free port of the loopback; the link whose end would be its own is the loopback's. */
async function relayTo(port: number): Promise<Relay> {
  const free = await listening(() => {});
  free.close();
  const words = ["relay", "test", "container", "lo", `tcp/127.0.0.1/${free.port}/127.0.0.1/${port}`];
  const child = Bun.spawn([LAUNCHER, ...words], { stdout: "pipe" });
  expect(await child.stdout.text()).toBe("ready\n");
  return {
    pid: child.pid,
    port: free.port,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

const dial = (port: number) =>
  new Promise<Socket>((settle, fail) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.once("connect", () => settle(socket));
    socket.once("error", fail);
  });

test("megabytes come back whole, and the end of one direction is not the end of the other", async () => {
  const server = await listening((socket) => {
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    socket.once("end", () => socket.end(Buffer.concat(parts)));
  });
  await using relay = await relayTo(server.port);
  const socket = await dial(relay.port);
  const hasher = new Bun.CryptoHasher("sha256");
  const sent = Buffer.alloc(MANY_BYTES, "0123456789abcdef!");
  const back = new Promise<void>((settle) => {
    socket.on("data", (part: Buffer) => hasher.update(part));
    socket.once("end", settle);
  });
  socket.end(sent);
  await back;
  expect(hasher.digest("hex")).toBe(Bun.CryptoHasher.hash("sha256", sent, "hex"));
  server.close();
});

test.skipIf(missing !== undefined)(
  `both of a connection's sockets are asked whether somebody is still there${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  async () => {
    const server = await listening((socket) => void socket.write("x"));
    await using relay = await relayTo(server.port);
    const socket = await dial(relay.port);
    await new Promise((settle) => socket.once("data", settle));
    const lines = Bun.spawnSync([
      "ss",
      "--tcp",
      "--numeric",
      "--options",
      "--processes",
      "state",
      "established",
    ])
      .stdout.toString()
      .split("\n")
      .filter((line) => line.includes(`pid=${relay.pid},`));
    expect(lines.length).toBe(2);
    for (const line of lines) expect(line).toContain("timer:(keepalive");
    socket.destroy();
    server.close();
  },
);
