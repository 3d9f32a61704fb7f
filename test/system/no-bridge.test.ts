import { afterAll, beforeAll, expect, test } from "bun:test";
import { HostPart, PATIENCE } from "../fixtures/host-part.ts";

let part: HostPart;

beforeAll(async () => {
  part = await HostPart.openWith([], "busybox");
}, PATIENCE);
afterAll(() => part?.[Symbol.asyncDispose](), PATIENCE);

const hasLink = (name: string) => Bun.spawnSync(["ip", "link", "show", name]).exitCode === 0;
const names = async () => (await part.daemon.ok("network", "ls", "--format", "{{.Name}}")).split("\n").sort();

async function restartWith(bridge: string): Promise<void> {
  expect(await part.daemon.stop()).toBe(0);
  await part.daemon.start(["--bridge", bridge]);
}

test("--bridge none takes the daemon's own bridge away, and no network that a user made", async () => {
  const { daemon } = part;
  await daemon.ok("network", "create", "--subnet", "10.56.0.0/24", "own");
  expect(hasLink(daemon.bridge)).toBe(true);
  await restartWith("none");
  expect(hasLink(daemon.bridge)).toBe(false);
  expect(await names()).toEqual(["host", "none", "own"]);

  const refused = await daemon.cli("run", "--rm", "busybox", "true");
  expect(refused.code).toBe(125);
  expect(refused.stderr).toContain(
    "network bridge not found: this daemon has no bridge of its own (--bridge none); name another network (--network NAME)",
  );

  await daemon.ok("run", "-d", "--name", "web", "--network", "own", "-p", "80", "busybox", ...SERVER);
  const port = (await daemon.ok("port", "web", "80/tcp")).split(":").at(-1);
  expect(await (await fetch(`http://127.0.0.1:${port}/hello`)).text()).toBe("hello\n");
  const seen = await daemon.ok("run", "--rm", "--network", "own", "busybox", "wget", "-qO-", "web/hello");
  expect(seen).toBe("hello");
  await daemon.ok("rm", "-f", "web");
});

test("what has a bridge again has its default network again", async () => {
  const { daemon } = part;
  await restartWith(daemon.bridge);
  expect(await names()).toEqual(["bridge", "host", "none", "own"]);
  expect(hasLink(daemon.bridge)).toBe(true);
  await daemon.ok("run", "--rm", "busybox", "ip", "addr", "show", "eth0");
  await daemon.ok("network", "rm", "own");
});

const SERVER = ["sh", "-c", "mkdir /www; echo hello >/www/hello; exec httpd -f -p 80 -h /www"];
