import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { knowsKind } from "../fixtures/bare-namespace.ts";
import { type ClusterHost, HUB, TestCluster, TestStore } from "../fixtures/cluster.ts";
import { PATIENCE, until } from "../fixtures/host-part.ts";
import { requirePackages } from "../fixtures/packages.ts";

const hasVxlan = process.getuid?.() === 0 && (await knowsKind("vxlan"));
const reason = hasVxlan ? "" : " (skipped: needs root and vxlan links)";
const SUBNET = "10.77.0.0/24";
const CROWD = 100;
const BATCH = 10;

const stack = new AsyncDisposableStack();
let store: TestStore;
let cluster: TestCluster;
let [one, two, three]: ClusterHost[] = [];

const host = (found: ClusterHost | undefined): ClusterHost => {
  if (found === undefined) throw new Error("There is no such host");
  return found;
};
const first = () => host(one);
const second = () => host(two);
const third = () => host(three);

async function up({ daemon }: ClusterHost, name: string, ...words: readonly string[]): Promise<void> {
  await daemon.ok("run", "-d", "--name", name, ...words, "busybox", "sleep", "3600");
}

/** Whether a container reaches another one, by name or address. */
async function reaches({ daemon }: ClusterHost, from: string, to: string): Promise<boolean> {
  return (await daemon.cli("exec", from, "ping", "-c", "1", "-W", "1", to)).code === 0;
}

const soon = (look: () => Promise<boolean>): Promise<void> => until(look, (isSo) => isSo);

async function addressOf({ daemon }: ClusterHost, name: string, network: string): Promise<string> {
  return daemon.ok("inspect", "-f", `{{.NetworkSettings.Networks.${network}.IPAddress}}`, name);
}

const hasNetwork = async ({ daemon }: ClusterHost, name: string): Promise<boolean> =>
  (await daemon.ok("network", "ls", "-q", "--filter", `name=^${name}$`)) !== "";

/** What a host's kernel was told of containers of other hosts. */
async function entries({ namespace }: ClusterHost): Promise<readonly string[]> {
  const forwardings = (await namespace.run("bridge", "fdb", "show")).split("\n");
  const neighbours = (await namespace.run("ip", "neigh", "show", "nud", "permanent")).split("\n");
  return [
    ...forwardings.filter((line) => / dev vx-\S+ dst /.test(line)),
    ...neighbours.filter((line) => / dev vx-/.test(line)),
  ];
}

async function links({ namespace }: ClusterHost): Promise<readonly string[]> {
  const listed = await namespace.run("ip", "-o", "link");
  return [...listed.matchAll(/^\d+: ([^:@]+)/gm)].map(([, name = ""]) => name);
}

describe.skipIf(!hasVxlan)(`overlay networks over three hosts${reason}`, () => {
  beforeAll(async () => {
    await requirePackages(["etcd-server"]);
    stack.use(await TestCluster.wire());
    store = stack.use(await TestStore.start());
    cluster = stack.use(await TestCluster.join(3));
    [one, two, three] = cluster.hosts;
  }, PATIENCE);
  afterAll(async () => stack.disposeAsync(), PATIENCE);

  test(
    "a network made on one host is on all, and its containers reach each other by name and address",
    async () => {
      await first().daemon.ok(
        "network",
        "create",
        "-d",
        "overlay",
        "--subnet",
        SUBNET,
        "--label",
        "of=all",
        "net",
      );
      for (const there of [second(), third()]) await soon(() => hasNetwork(there, "net"));
      await up(first(), "ann", "--network", "net");
      await up(second(), "bob", "--network", "net", "--network-alias", "bee", "-p", "8080:80");
      const address = await addressOf(second(), "bob", "net");
      await soon(() => reaches(first(), "ann", "bob"));
      expect(await reaches(first(), "ann", "bee")).toBe(true);
      expect(await reaches(first(), "ann", address)).toBe(true);
      await soon(() => reaches(second(), "bob", "ann"));
      const scope = await third().daemon.ok("network", "inspect", "-f", "{{.Scope}} {{.Labels.of}}", "net");
      expect(scope).toBe("global all");
    },
    PATIENCE,
  );

  test("a container has one link, with room for the wrapping, and reaches what is beyond its host", async () => {
    const shown = await first().daemon.ok("exec", "ann", "ip", "-o", "link");
    expect(shown.match(/eth\d/g)).toEqual(["eth0"]);
    expect(shown).toContain("mtu 1450");
    expect(await reaches(first(), "ann", HUB)).toBe(true);
    const large = ["exec", "ann", "ping", "-c", "1", "-W", "2", "-s", "1400", "bob"];
    expect((await first().daemon.cli(...large)).code).toBe(0);
  });

  test(
    "a published port leads to the container from other hosts",
    async () => {
      const serve = "mkdir /w; echo here > /w/index.html; exec httpd -f -p 81 -h /w";
      const words = ["--name", "web", "--network", "net", "-p", "8181:81", "busybox", "sh", "-c", serve];
      await second().daemon.ok("run", "-d", ...words);
      await soon(() =>
        fetch(`http://${second().address}:8181/`, { keepalive: false }).then(
          async (reply) => (await reply.text()).trim() === "here",
          () => false,
        ),
      );
      await second().daemon.ok("rm", "-f", "web");
    },
    PATIENCE,
  );

  test("two hosts do not give the same name or subnet, and no address twice", async () => {
    const again = await second().daemon.cli("network", "create", "-d", "overlay", "net");
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("already exists")]);
    const overlap = await third().daemon.cli(
      "network",
      "create",
      "-d",
      "overlay",
      "--subnet",
      "10.77.0.128/25",
      "other",
    );
    expect([overlap.code, overlap.stderr]).toEqual([1, expect.stringContaining("Pool overlaps")]);
    const address = await addressOf(first(), "ann", "net");
    const words = ["run", "-d", "--network", "net", "--ip", address, "busybox", "sleep", "60"];
    const taken = await third().daemon.cli(...words);
    expect([taken.code, taken.stderr]).toEqual([125, expect.stringContaining("Address already in use")]);
  });

  test(
    "while the store is away all goes on, what needs it says so, and once it is back nothing has dropped",
    async () => {
      await store.stop();
      expect(await reaches(first(), "ann", "bob")).toBe(true);
      const made = await second().daemon.cli("network", "create", "-d", "overlay", "more");
      expect([made.code, made.stderr]).toEqual([
        1,
        expect.stringContaining("Cannot reach the cluster store at"),
      ]);
      const doctor = await second().daemon.cli("network", "doctor");
      expect(doctor.stdout).toMatch(/cluster store.*Cannot reach the cluster store/);
      const before = await entries(first());
      await store.start();
      expect(await entries(first())).toEqual(before);
      expect(await reaches(first(), "ann", "bob")).toBe(true);
      await soon(
        async () =>
          (
            await third().daemon.cli(
              "run",
              "-d",
              "--name",
              "cat",
              "--network",
              "net",
              "busybox",
              "sleep",
              "3600",
            )
          ).code === 0,
      );
      await soon(() => reaches(first(), "ann", "cat"));
      expect(await reaches(second(), "bob", "cat")).toBe(true);
    },
    PATIENCE,
  );

  test(
    "a daemon that is killed finds its networks again, and no container notices",
    async () => {
      await second().daemon.kill();
      expect(await reaches(first(), "ann", "bob")).toBe(true);
      await second().daemon.start();
      expect(await reaches(first(), "ann", "bob")).toBe(true);
      await soon(() => reaches(second(), "bob", "cat"));
      await second().daemon.ok("rm", "-f", "bob");
      await soon(async () => !(await reaches(first(), "ann", "bob")));
      await up(second(), "bob", "--network", "net");
      await soon(() => reaches(first(), "ann", "bob"));
    },
    PATIENCE,
  );

  test("a network that has containers on another host is not removed", async () => {
    await third().daemon.ok("rm", "-f", "cat");
    const { code, stderr } = await third().daemon.cli("network", "rm", "net");
    expect([code, stderr]).toEqual([1, expect.stringContaining("has active endpoints on other hosts")]);
    await up(third(), "cat", "--network", "net");
    await soon(() => reaches(third(), "cat", "ann"));
  });

  test(
    "when a host dies its entries go from the store and from all hosts",
    async () => {
      const pid = await third().daemon.ok("inspect", "-f", "{{.State.Pid}}", "cat");
      const address = await addressOf(third(), "cat", "net");
      await third().daemon.kill();
      process.kill(Number(pid), "SIGKILL");
      const isGone = async () => (await store.keys("/bunker/view/hosts/")).length === 2;
      await soon(isGone);
      await soon(async () => !(await entries(first())).some((line) => line.includes(address)));
      expect((await store.keys("/bunker/view/endpoints/")).length).toBe(2);
      expect((await store.keys("/bunker/addresses/")).length).toBe(2);
      expect(await reaches(first(), "ann", "bob")).toBe(true);
      await third().daemon.start();
      await soon(async () => (await store.keys("/bunker/view/hosts/")).length === 3);
    },
    PATIENCE,
  );

  test(
    `${CROWD} containers come and go, and no entry stays behind`,
    async () => {
      await second().daemon.ok("rm", "-f", "bob");
      await soon(async () => (await entries(first())).length === 0);
      const names = Array.from({ length: CROWD }, (_, index) => `crowd${index}`);
      for (let at = 0; at < CROWD; at += BATCH) {
        const batch = names
          .slice(at, at + BATCH)
          .map((name, index) => ({ name, at: index % 2 === 0 ? second() : third() }));
        await Promise.all(batch.map(({ name, at: there }) => up(there, name, "--network", "net")));
        await soon(async () => (await entries(first())).length === 2 * batch.length);
        expect(await reaches(first(), "ann", batch[0]?.name ?? "")).toBe(true);
        await Promise.all(batch.map(({ name, at: there }) => there.daemon.ok("rm", "-f", name)));
      }
      for (const there of [first(), third()])
        await soon(async () => (await entries(there)).length === (there === first() ? 0 : 2));
      expect(await store.keys("/bunker/view/endpoints/")).toHaveLength(1);
      expect(await store.keys("/bunker/addresses/")).toHaveLength(1);
    },
    PATIENCE,
  );

  test(
    "a network that is removed goes from all hosts, with all that it had",
    async () => {
      await first().daemon.ok("rm", "-f", "ann");
      await second().daemon.ok("network", "rm", "net");
      for (const there of cluster.hosts) {
        await soon(async () => !(await hasNetwork(there, "net")));
        await soon(async () => !(await links(there)).some((name) => /^(vx|bo)-/.test(name)));
      }
      const left = await store.keys("/bunker/");
      expect(left.filter((key) => !/\/(view\/hosts\/|pool-guard)/.test(key))).toEqual([]);
    },
    PATIENCE,
  );

  test(
    "with IPv6 they reach each other so as well",
    async () => {
      await first().daemon.ok("network", "create", "-d", "overlay", "--ipv6", "six");
      await soon(() => hasNetwork(second(), "six"));
      await up(first(), "ann", "--network", "six");
      await up(second(), "bob", "--network", "six");
      const address = await second().daemon.ok(
        "inspect",
        "-f",
        "{{.NetworkSettings.Networks.six.GlobalIPv6Address}}",
        "bob",
      );
      await soon(() => reaches(first(), "ann", address));
      await first().daemon.ok("rm", "-f", "ann");
      await second().daemon.ok("rm", "-f", "bob");
      await first().daemon.ok("network", "rm", "six");
    },
    PATIENCE,
  );
});
