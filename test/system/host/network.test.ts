import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { HostPart, PATIENCE, until } from "../../fixtures/host-part.ts";
import { hostDifference, hostState } from "../../fixtures/host-state.ts";

const SERVE = "mkdir -p /www; echo page > /www/index.html; exec httpd -f -p 80 -h /www";
let part: HostPart;

beforeAll(async () => {
  part = await HostPart.open("busybox", "httpd");
}, PATIENCE);
afterAll(async () => part?.[Symbol.asyncDispose](), PATIENCE);

async function page(url: string): Promise<string> {
  return fetch(url, { signal: AbortSignal.timeout(5000) }).then(
    (reply) => reply.text(),
    (thrown) => String(thrown),
  );
}

describe("the network", () => {
  test(
    "brings a published port to a container, containers to each other, and leaves nothing",
    async () => {
      await part.run(["true"]);
      const before = await hostState(part.daemon.cgroupParent);
      const server = await part.start(
        ["sh", "-c", SERVE],
        { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] } },
        { ExposedPorts: { "80/tcp": {} } },
      );
      const { NetworkSettings } = await part.inspect(server.id);
      const port = NetworkSettings.Ports["80/tcp"]?.[0]?.HostPort;
      await until(
        () => page(`http://127.0.0.1:${port}/`),
        (text) => text === "page\n",
      );
      const address = NetworkSettings.Networks.bridge?.IPAddress;
      const reached = await part.run(["wget", "-q", "-O", "-", `http://${address}/`]);
      expect(reached).toMatchObject({ code: 0, stdout: "page\n", stderr: "" });
      await part.remove(server.id);
      // What was pulled may still be on its way to the disk, by a process of the daemon's.
      await until(
        async () => hostDifference(before, await hostState(part.daemon.cgroupParent)),
        (left) => left.length === 0,
      );
    },
    PATIENCE,
  );

  test(
    "serves Apache's page from `run -d -p 8020:80 httpd`",
    async () => {
      const id = await part.daemon.ok("run", "-d", "-p", "8020:80", "httpd");
      await until(
        () => page("http://127.0.0.1:8020/"),
        (text) => text.includes("Apache2 Debian Default Page"),
      );
      await part.remove(id);
    },
    PATIENCE,
  );
});
