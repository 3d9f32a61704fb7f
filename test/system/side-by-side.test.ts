import { afterAll, beforeAll, expect, test } from "bun:test";
import { FakeRegistry } from "../fakes/registry.ts";
import { TestDaemon } from "../fixtures/daemon.ts";
import { hostState } from "../fixtures/host-state.ts";
import { busyboxImage } from "../fixtures/index.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
let fake: FakeRegistry;
let one: TestDaemon;
let other: TestDaemon;

beforeAll(async () => {
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  const args = ["--registry-mirror", fake.url];
  one = await TestDaemon.start({ args });
  await serve(one, 8060);
  // The one compares when both are gone.
  other = await TestDaemon.start({ args, comparesHost: false });
  await serve(other, 8061);
}, 2 * MINUTE);

afterAll(async () => {
  await other?.[Symbol.asyncDispose]();
  await one?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

/** A page that says which port it is behind. */
async function serve(daemon: TestDaemon, port: number): Promise<void> {
  const script = `mkdir -p /tmp/www; echo ${port} > /tmp/www/index.html; exec httpd -f -h /tmp/www`;
  await daemon.ok("run", "-d", "--name", "web", "-p", `${port}:80`, "busybox", "sh", "-c", script);
}

async function page(port: number): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      const reply = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(5000) });
      return (await reply.text()).trim();
    } catch (thrown) {
      if (tries === 100) throw thrown;
      await Bun.sleep(50);
    }
  }
}

test(
  "two daemons have names, networks and ports of their own at once",
  async () => {
    expect([await page(8060), await page(8061)]).toEqual(["8060", "8061"]);
    for (const daemon of [one, other]) expect(await daemon.ok("ps", "--format", "{{.Names}}")).toBe("web");
    expect(await one.ok("ps", "-q")).not.toBe(await other.ok("ps", "-q"));
    const addresses = [one, other].map((daemon) =>
      daemon.ok("inspect", "-f", "{{.NetworkSettings.Networks.bridge.Gateway}}", "web"),
    );
    const [first, second] = await Promise.all(addresses);
    expect(first).not.toBe(second);
  },
  MINUTE,
);

test(
  "neither can have the other's port, and says so",
  async () => {
    const { code, stderr } = await one.cli("run", "--rm", "-p", "8061:80", "busybox", "true");
    expect([code, stderr]).toEqual([125, expect.stringContaining("8061 failed: port is already allocated")]);
    expect(await page(8061)).toBe("8061");
  },
  MINUTE,
);

test(
  "one that is stopped, killed and started again leaves the other's rules, groups and containers",
  async () => {
    const before = await hostState(other.cgroupParent);
    await one.stop();
    expect([await page(8060), await page(8061)]).toEqual(["8060", "8061"]);
    await one.start();
    await one.kill();
    await one.start();
    expect([await page(8060), await page(8061)]).toEqual(["8060", "8061"]);
    const after = await hostState(other.cgroupParent);
    expect({ ...after, processes: [] }).toEqual({ ...before, processes: [] });
    await one.ok("rm", "-f", "web");
    expect(await page(8061)).toBe("8061");
    expect(await other.ok("exec", "web", "cat", "/tmp/www/index.html")).toBe("8061");
    await serve(one, 8060);
    expect(await page(8060)).toBe("8060");
  },
  MINUTE,
);
