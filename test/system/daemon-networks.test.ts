import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { type Scratch, scratch } from "../fakes/scratch.ts";
import { describeFlags } from "../fixtures/flag-probes.ts";
import { HostPart, PATIENCE } from "../fixtures/host-part.ts";

let part: HostPart;
let place: Scratch;

beforeAll(async () => {
  place = await scratch();
  part = await HostPart.openWith(
    [
      ...["--bip", "10.55.0.1/24", "--fixed-cidr", "10.55.0.128/28", "--default-gateway", "10.55.0.77"],
      ...["--ipv6", "--bip6", "fd00:55::1/64", "--fixed-cidr-v6", "fd00:55::1000/120"],
      ...[
        "--mtu",
        "1432",
        "--host-gateway-ip",
        "10.9.9.9",
        "--ip",
        "127.0.0.1",
        "--dns-search",
        "own.example",
      ],
      ...["--dns-opt", "ndots:4", "--no-new-privileges", "--default-stop-timeout", "0", "--group", "daemon"],
      ...["--pidfile", `${place.path}/pid`, "--exec-opt", "native.cgroupdriver=cgroupfs"],
    ],
    "busybox",
  );
}, PATIENCE);
afterAll(async () => {
  await part?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
}, PATIENCE);

describeFlags(
  "settings of the default bridge",
  [
    {
      flag: "fixed-cidr",
      words: [],
      look: "ip -4 addr show eth0 | grep -o '10.55.0.1[234][0-9]/24'",
      sees: /^10\.55\.0\.1(2[89]|3\d|4[0-3])\/24$/,
    },
    {
      flag: "fixed-cidr-v6",
      words: [],
      look: "ip -6 addr show eth0 scope global | grep -o 'fd00:55::[^ ]*'",
      sees: /^fd00:55::10[0-9a-f]{2}\/64$/,
    },
    {
      flag: "default-gateway",
      words: [],
      look: "ip -4 route show default",
      sees: /via 10\.55\.0\.77 dev eth0/,
    },
    { flag: "mtu", words: [], look: "cat /sys/class/net/eth0/mtu", sees: "1432" },
    {
      flag: "host-gateway-ips",
      words: ["--add-host", "host:host-gateway"],
      look: "grep host$ /etc/hosts | grep 10.9",
      sees: "10.9.9.9\thost",
    },
    { flag: "dns-search", words: [], look: "grep search /etc/resolv.conf", sees: "search own.example" },
    { flag: "dns-opts", words: [], look: "grep options /etc/resolv.conf", sees: "options ndots:4" },
    { flag: "no-new-privileges", words: [], look: "grep NoNewPrivs /proc/self/status | cut -f2", sees: "1" },
  ],
  () => ({ part }),
);

test("ip is where ports are published that name no address, and default-stop-timeout kills at once", async () => {
  const id = await part.daemon.ok("run", "-d", "-p", "80", "busybox", "sleep", "600");
  expect(await part.daemon.ok("port", id)).toMatch(/^80\/tcp -> 127\.0\.0\.1:\d+$/);
  await part.daemon.ok("stop", id);
  expect(await part.daemon.ok("inspect", "-f", "{{.State.ExitCode}}", id)).toBe("137");
  await part.daemon.ok("rm", id);
});

test("bip and bip6 are the bridge's own addresses; group and pidfile are on the disk", async () => {
  const shown = await part.daemon.json<{ IPAM: { Config: { Subnet: string; Gateway: string }[] } }>(
    "/networks/bridge",
  );
  const subnets = shown.IPAM.Config.map(({ Subnet }) => Subnet);
  expect(subnets).toEqual(["10.55.0.0/24", "fd00:55::/64"]);
  const { stdout } = Bun.spawnSync(["ip", "addr", "show", part.daemon.bridge]);
  expect(stdout.toString()).toContain("inet 10.55.0.1/24");
  expect(stdout.toString()).toContain("inet6 fd00:55::1/64");
  const gid = Number(/^daemon:[^:]*:(\d+):/m.exec(readFileSync("/etc/group", "utf8"))?.[1]);
  expect([statSync(part.daemon.socket).gid, statSync(part.daemon.socket).mode & 0o777]).toEqual([gid, 0o660]);
  expect(readFileSync(`${place.path}/pid`, "utf8").trim()).toBe(String(part.daemon.pid));
});
