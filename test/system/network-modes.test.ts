import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, readlinkSync } from "node:fs";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";

let part: HostPart;

beforeAll(async () => {
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => part?.[Symbol.asyncDispose](), PATIENCE);

const sh = (script: string) => ["sh", "-c", script];
/** Answers every caller with its name. */
const serve = (port: number, word: string) =>
  sh(`mkdir /w; echo ${word} > /w/index.html; exec httpd -f -p ${port} -h /w`);

async function said(url: string): Promise<string> {
  let text = "";
  await until(
    async () => {
      try {
        text = await (await fetch(url, { signal: AbortSignal.timeout(1000), keepalive: false })).text();
        return true;
      } catch {
        return false;
      }
    },
    (answered) => answered,
  );
  return text.trim();
}

const isRefused = (url: string) =>
  fetch(url, { signal: AbortSignal.timeout(1000), keepalive: false }).then(
    () => false,
    () => true,
  );

async function start(words: readonly string[], command: readonly string[]): Promise<string> {
  return part.daemon.ok("run", "-d", ...words, "busybox", ...command);
}

async function gone(...names: readonly string[]): Promise<void> {
  await part.daemon.ok("rm", "-f", ...names);
}

describe("published ports", () => {
  test.each([
    ["8110:80", "80/tcp", ["127.0.0.1:8110"]],
    ["127.0.0.1:8111:80", "80/tcp", ["127.0.0.1:8111"]],
    ["127.0.0.1::80", "80/tcp", ["127.0.0.1:PORT"]],
    ["80", "80/tcp", ["127.0.0.1:PORT"]],
    ["8112-8113:80-81", "81/tcp", ["127.0.0.1:8112"]],
    ["8114-8116:80", "80/tcp", ["127.0.0.1:PORT"]],
    ["[::1]:8117:80", "80/tcp", ["[::1]:8117"]],
    ["8118:80/tcp", "80/tcp", ["127.0.0.1:8118", "[::1]:8118"]],
  ])(
    "-p %s are reached, shown by port, and closed once the container has stopped",
    async (publish, shown, addresses) => {
      await start(["--name", "web", "-p", publish], serve(80, "here"));
      const lines = (await part.daemon.ok("port", "web")).split("\n");
      expect(lines.some((line) => line.startsWith(`${shown} -> `))).toBe(true);
      const port = /^80\/tcp -> .*:(\d+)$/m.exec(lines.join("\n"))?.[1] ?? "";
      const urls = addresses.map((address) => `http://${address.replace("PORT", port)}/`);
      for (const url of urls) expect(await said(url)).toBe("here");
      await part.daemon.ok("stop", "-t", "0", "web");
      for (const url of urls) expect(await isRefused(url)).toBe(true);
      await gone("web");
    },
  );

  test("of -P are all that are exposed", async () => {
    await start(["--name", "all", "--expose", "80", "--expose", "81/udp", "-P"], serve(80, "exposed"));
    const port = (await part.daemon.ok("port", "all", "80")).split("\n")[0]?.split(":").at(-1);
    expect(await said(`http://127.0.0.1:${port}/`)).toBe("exposed");
    expect(await part.daemon.ok("port", "all")).toContain("81/udp -> 0.0.0.0:");
    await gone("all");
  });

  test("D12: that are taken are refused with who has them; nothing is left, and they can be had afterwards", async () => {
    await start(["--name", "first", "-p", "8121:80"], ["sleep", "600"]);
    const second = await part.daemon.cli(
      "run",
      "-d",
      "--name",
      "second",
      "-p",
      "8121:80",
      "busybox",
      "sleep",
      "600",
    );
    expect([second.code, second.stderr]).toEqual([125, expect.stringMatching(/8121.*already allocated/)]);
    await gone("first");
    expect(await part.daemon.ok("start", "second")).toBe("second");
    await gone("second");
  });
});

describe("modes", () => {
  test("none has the loopback alone", async () => {
    expect(await part.daemon.ok("run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net")).toBe(
      "lo",
    );
  });

  test("host is the daemon's own network", async () => {
    await start(["--name", "hosted", "--network", "host"], serve(8122, "of the host"));
    expect(await said("http://127.0.0.1:8122/")).toBe("of the host");
    const pid = await part.daemon.ok("inspect", "-f", "{{.State.Pid}}", "hosted");
    expect(readlinkSync(`/proc/${pid}/ns/net`)).toBe(readlinkSync("/proc/self/ns/net"));
    await gone("hosted");
  });

  test("container is the other's, with its ports and names", async () => {
    await start(["--name", "other", "--hostname", "shared-name", "-p", "8123:80"], ["sleep", "600"]);
    await start(["--name", "guest", "--network", "container:other"], serve(80, "the guest"));
    expect(await said("http://127.0.0.1:8123/")).toBe("the guest");
    expect(await part.daemon.ok("exec", "guest", "cat", "/etc/hosts")).toBe(
      await part.daemon.ok("exec", "other", "cat", "/etc/hosts"),
    );
    const refused = await part.daemon.cli(
      "run",
      "--rm",
      "--network",
      "container:other",
      "-p",
      "80:80",
      "busybox",
      "true",
    );
    expect(refused.code).toBe(125);
    await gone("guest", "other");
  });

  test("containers of one network reach each other by address", async () => {
    await start(["--name", "callee"], serve(80, "callee"));
    const address = await part.daemon.ok(
      "inspect",
      "-f",
      "{{.NetworkSettings.Networks.bridge.IPAddress}}",
      "callee",
    );
    expect(address).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    await until(
      () => part.daemon.cli("run", "--rm", "busybox", "wget", "-qO-", `http://${address}/`),
      ({ stdout }) => stdout === "callee\n",
    );
    await gone("callee");
  });
});

describe("files", () => {
  test("hosts, hostname and resolv.conf say what was asked", async () => {
    const words = [
      "--hostname",
      "box",
      "--domainname",
      "example.org",
      "--add-host",
      "friend:10.9.8.7",
      "--dns",
      "10.1.1.1",
      "--dns-search",
      "example.net",
      "--dns-option",
      "ndots:3",
    ];
    const text = await part.daemon.ok(
      "run",
      "--rm",
      ...words,
      "busybox",
      ...sh("cat /etc/hostname /etc/hosts /etc/resolv.conf; hostname -i"),
    );
    expect(text).toMatch(/^box/);
    expect(text).toContain("127.0.0.1\tlocalhost");
    expect(text).toMatch(/^10\.9\.8\.7\tfriend$/m);
    expect(text).toMatch(/^\d+\.\d+\.\d+\.\d+\tbox\.example\.org box$/m);
    expect(text).toMatch(/^nameserver 10\.1\.1\.1$/m);
    expect(text).toMatch(/^search example\.net$/m);
    expect(text).toMatch(/^options ndots:3$/m);
  });

  test("can be written by the container, and stay its own", async () => {
    await part.daemon.ok(
      "run",
      "--name",
      "writer",
      "busybox",
      ...sh("echo '1.2.3.4 mine' >> /etc/hosts; echo '# mine' >> /etc/resolv.conf"),
    );
    await part.daemon.ok("rm", "writer");
    expect(await part.daemon.ok("run", "--rm", "busybox", "cat", "/etc/hosts")).not.toContain("mine");
  });
});

test("D11, D13: nothing is left of all of it", async () => {
  expect(await part.daemon.ok("ps", "-aq")).toBe("");
  await until(
    () => readFileSync("/proc/self/net/dev", "utf8"),
    (links) => !links.includes("veth"),
  );
  const rules = Bun.spawnSync(["iptables-save"]).stdout.toString();
  expect(rules.split("\n").filter((line) => /--to-destination|--dport/.test(line))).toEqual([]);
});
