import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FakeRegistry } from "../fakes/registry.ts";
import { TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, requirePackages } from "../fixtures/index.ts";
import { NameServer } from "../fixtures/name-server.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
const GATEWAY = "10.77.0.1";
let fake: FakeRegistry;
let daemon: TestDaemon;

beforeAll(async () => {
  await requirePackages(["bind9-dnsutils"]);
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
  await daemon.ok("pull", "-q", "busybox");
  await daemon.ok("network", "create", "--subnet", "10.77.0.0/16", "--gateway", GATEWAY, "front");
  await daemon.ok("network", "create", "--subnet", "10.78.0.0/16", "back");
  await daemon.ok("network", "create", "--subnet", "10.79.0.0/16", "--internal", "inner");
}, 10 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

const idle = (name: string, ...words: readonly string[]) =>
  daemon.ok("run", "-d", "--name", name, ...words, "busybox", "sleep", "1000");

async function inside(name: string, ...command: readonly string[]): Promise<string> {
  const pid = await daemon.ok("inspect", "-f", "{{.State.Pid}}", name);
  const child = Bun.spawn(["nsenter", `--net=/proc/${pid}/ns/net`, ...command], { stderr: "pipe" });
  const [text, problem] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return `${text}${problem}`.trim();
}

/** What dig shows of the answer from 127.0.0.11; it takes none that comes from elsewhere. */
const dig = (name: string, ...words: readonly string[]) =>
  inside(name, "dig", "@127.0.0.11", "+tries=1", "+time=5", ...words);
const short = (name: string, ...words: readonly string[]) => dig(name, "+short", ...words);
const status = async (name: string, ...words: readonly string[]) =>
  /status: (\w+)/.exec(await dig(name, ...words))?.[1];

test(
  "containers of one network know each other by name, alias, short id, name.network and address",
  async () => {
    const id = await idle("web", "--network", "front", "--network-alias", "app", "--ip", "10.77.0.10");
    await idle("db", "--network", "front", "--network-alias", "app", "--ip", "10.77.0.11");
    await idle("stranger", "--network", "back");
    for (const name of ["web", "WEB", "web.front", id.slice(0, 12)])
      expect(await short("db", name)).toBe("10.77.0.10");
    expect((await short("db", "app")).split("\n").toSorted()).toEqual(["10.77.0.10", "10.77.0.11"]);
    expect(await short("db", "+tcp", "web")).toBe("10.77.0.10");
    expect(await short("db", "-x", "10.77.0.10")).toBe("web.front.");
    expect(await status("db", "web", "AAAA")).toBe("NOERROR");
    expect(await short("db", "web", "AAAA")).toBe("");
    expect(await daemon.ok("exec", "db", "nslookup", "web")).toContain("10.77.0.10");
    expect(await daemon.ok("exec", "db", "cat", "/etc/resolv.conf")).toMatch(
      /^nameserver 127\.0\.0\.11$[\s\S]*^options .*ndots:0$/m,
    );
    expect(await daemon.ok("exec", "db", "ping", "-c", "1", "web")).toContain("1 packets received");
  },
  2 * MINUTE,
);

test(
  "a container is known once it runs, on each network it is connected to, and no longer than that",
  async () => {
    await daemon.ok("network", "connect", "--alias", "neighbour", "back", "web");
    expect(await short("stranger", "neighbour")).toBe("10.78.0.3");
    expect(await short("web", "stranger")).toBe("10.78.0.2");
    await daemon.ok("network", "disconnect", "back", "web");
    expect(await short("stranger", "neighbour")).toBe("");
    await daemon.ok("stop", "-t", "0", "web");
    expect(await short("db", "app")).toBe("10.77.0.11");
    await daemon.ok("start", "web");
    expect(await short("db", "web")).toBe("10.77.0.10");
    await daemon.ok("rename", "web", "www");
    expect(await short("db", "www")).toBe("10.77.0.10");
    await daemon.ok("rename", "www", "web");
  },
  2 * MINUTE,
);

test(
  "port 53 of a container is its own",
  async () => {
    expect(await inside("web", "ss", "-Hlnut", "sport = :53")).toBe("");
    await using _own = await listening("web");
    expect(await inside("web", "dig", "@127.0.0.1", "+tries=1", "+time=5", "+short", "x.y")).toBe("10.0.0.0");
    expect(await short("web", "db")).toBe("10.77.0.11");
  },
  MINUTE,
);

/** A name server of the container's own. */
async function listening(name: string) {
  const pid = await daemon.ok("inspect", "-f", "{{.State.Pid}}", name);
  const program = `import { NameServer } from "${import.meta.dir}/../fixtures/name-server.ts";
    await NameServer.start("127.0.0.1"); console.log("ready");`;
  const child = Bun.spawn(["nsenter", `--net=/proc/${pid}/ns/net`, process.execPath, "-e", program], {
    stderr: "inherit",
  });
  const { value } = await child.stdout.getReader().read();
  if (value === undefined) throw new Error("The container's own name server has not come up");
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await child.exited;
    },
  };
}

describe("names of the outer world", () => {
  test(
    "are asked of the container's own servers, over TCP when they are long",
    async () => {
      await using server = await NameServer.start(GATEWAY);
      await idle("asker", "--network", "front", "--dns", GATEWAY);
      expect(await short("asker", "one.example")).toBe("10.0.0.0");
      expect((await short("asker", "big.example")).split("\n").length).toBe(200);
      expect(await status("asker", "+ignore", "+noedns", "big.example")).toBe("NOERROR");
      expect(server.asked).toContain("udp one.example");
      expect(server.asked).toContain("tcp big.example");
      expect(await daemon.ok("exec", "asker", "cat", "/etc/resolv.conf")).toContain(
        `ExtServers: [${GATEWAY}]`,
      );
    },
    MINUTE,
  );

  test(
    "D8: fail before a client gives up when nobody answers, while own names are answered",
    async () => {
      await idle("lost", "--network", "front", "--dns", "10.77.255.254", "--dns", "10.77.255.253");
      expect(await status("lost", "x.example")).toBe("SERVFAIL");
      expect(await short("lost", "db")).toBe("10.77.0.11");
    },
    MINUTE,
  );

  test(
    "D4: do not leave an internal network, and do once there is another",
    async () => {
      await using server = await NameServer.start("0.0.0.0");
      await idle("shut", "--network", "inner", "--dns", "10.79.0.1");
      expect(await status("shut", "secret.example")).toBe("SERVFAIL");
      expect(server.asked).toEqual([]);
      expect(await short("shut", "shut")).toMatch(/^10\.79\.0\./);
      await daemon.ok("network", "connect", "front", "shut");
      expect(await short("shut", "open.example")).toBe("10.0.0.0");
    },
    MINUTE,
  );
});

test(
  "D8: junk over UDP and TCP does no harm",
  async () => {
    const junk =
      "for n in 1 2 3 4 5 6 7 8; do head -c 400 /dev/urandom | busybox nc -u -w 1 127.0.0.11 53; " +
      "head -c 9000 /dev/urandom | busybox nc -w 1 127.0.0.11 53; done >/dev/null 2>&1; true";
    await inside("web", "sh", "-c", junk);
    await inside("web", "sh", "-c", "busybox nc 127.0.0.11 53 </dev/null >/dev/null & true");
    expect(await short("web", "db")).toBe("10.77.0.11");
    expect(await short("web", "+tcp", "db")).toBe("10.77.0.11");
  },
  2 * MINUTE,
);

test(
  "names are answered again after kill -9 of the daemon",
  async () => {
    await daemon.kill();
    await daemon.start();
    expect(await short("db", "web")).toBe("10.77.0.10");
    expect(await short("db", "+tcp", "web.front")).toBe("10.77.0.10");
    expect((await inside("db", "nft", "list", "ruleset")).match(/dnat/g)?.length).toBe(2);
  },
  MINUTE,
);

describe("links", () => {
  test(
    "on the default bridge are lines in hosts, variables and names, and follow the linked container",
    async () => {
      await idle("pg", "-e", "SECRET=x", "--expose", "5432", "--expose", "53/udp");
      await idle("page", "--link", "pg:store");
      const address = await daemon.ok(
        "inspect",
        "-f",
        "{{.NetworkSettings.Networks.bridge.IPAddress}}",
        "pg",
      );
      const hosts = () => daemon.ok("exec", "page", "cat", "/etc/hosts");
      expect(await hosts()).toMatch(new RegExp(`^${address}\tstore [0-9a-f]{12} pg$`, "m"));
      for (const environment of [
        await daemon.ok("exec", "page", "env"),
        await daemon.ok("exec", "page", "cat", "/proc/1/environ"),
      ])
        for (const entry of [
          `STORE_PORT=tcp://${address}:5432`,
          `STORE_PORT_5432_TCP_ADDR=${address}`,
          "STORE_PORT_53_UDP_PROTO=udp",
          "STORE_NAME=/page/store",
          "STORE_ENV_SECRET=x",
        ])
          expect(environment).toContain(entry);
      expect(await daemon.ok("inspect", "-f", "{{json .HostConfig.Links}}", "page")).toBe(
        '["/pg:/page/store"]',
      );
      expect(await daemon.ok("ps", "--no-trunc", "--format", "{{.Names}}", "--filter", "name=pg")).toContain(
        "page/store",
      );
      await daemon.ok("stop", "-t", "0", "pg");
      await idle("squatter");
      await daemon.ok("start", "pg");
      const moved = await daemon.ok("inspect", "-f", "{{.NetworkSettings.Networks.bridge.IPAddress}}", "pg");
      expect(moved).not.toBe(address);
      expect(await hosts()).toMatch(new RegExp(`^${moved}\tstore `, "m"));
      expect(await hosts()).not.toContain(`${address}\tstore`);
    },
    2 * MINUTE,
  );

  test(
    "hold a start up while the linked container does not run, until they are removed",
    async () => {
      await daemon.ok("stop", "-t", "0", "pg", "page");
      const refused = await daemon.cli("start", "page");
      expect(refused.stderr).toContain("Cannot link to a non running container: /pg AS /page/store");
      expect((await daemon.cli("run", "--rm", "--link", "nobody", "busybox", "true")).stderr).toContain(
        "could not get container for nobody",
      );
      await daemon.ok("rm", "--link", "page/store");
      await daemon.ok("start", "page");
      expect(await daemon.ok("exec", "page", "cat", "/etc/hosts")).not.toContain("store");
    },
    MINUTE,
  );

  test(
    "on a user-defined network are aliases for the linking container alone",
    async () => {
      await idle("linker", "--network", "front", "--link", "db:only");
      expect(await short("linker", "only")).toBe("10.77.0.11");
      expect(await short("web", "only")).toBe("");
    },
    MINUTE,
  );
});
