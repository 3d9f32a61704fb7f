import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FakeRegistry } from "../fakes/registry.ts";
import { scratch } from "../fakes/scratch.ts";
import { BUNKER_CLIENT, DEBIAN_DOCKER, newerDocker } from "../fixtures/clients.ts";
import { run, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, requirePackages } from "../fixtures/index.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
const NEWER = newerDocker();
const CLIENTS = [DEBIAN_DOCKER, BUNKER_CLIENT, ...(NEWER === undefined ? [] : [NEWER])];
let fake: FakeRegistry;
let daemon: TestDaemon;
let host: string;

beforeAll(async () => {
  await requirePackages(["docker.io", "docker-compose"]);
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
  host = `unix://${daemon.socket}`;
  await daemon.ok("pull", "-q", "busybox");
}, 10 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

test.skipIf(NEWER === undefined)(
  `a docker of today is asked as well${NEWER === undefined ? " (skipped: only Debian's is here)" : ""}`,
  async () =>
    expect(await NEWER?.ok(host, "version", "--format", "{{.Server.APIVersion}}")).toMatch(/^1\.\d+$/),
);

describe.each(CLIENTS.map((client) => [client.title, client] as const))("%s", (_title, client) => {
  const ok = (...words: readonly string[]) => client.ok(host, ...words);

  test(
    "makes networks, connects, looks, disconnects and removes",
    async () => {
      const front = await ok(
        ...["network", "create", "--subnet", "10.99.0.0/16", "--ip-range", "10.99.5.0/24"],
        ...["--gateway", "10.99.0.1", "--aux-address", "router=10.99.5.1", "--label", "tier=x", "front"],
      );
      expect(front).toMatch(/^[0-9a-f]{64}$/);
      await ok("network", "create", "back");
      expect(await ok("network", "ls", "--filter", "label=tier=x", "--no-trunc")).toMatch(
        new RegExp(`^NETWORK ID +NAME +DRIVER +SCOPE\n${front} +front +bridge +local$`),
      );
      expect(await ok("network", "ls", "-q", "--filter", "name=front")).toBe(front.slice(0, 12));
      const config = JSON.parse(await ok("network", "inspect", "-f", "{{json .IPAM.Config}}", "front"));
      expect(config).toEqual([
        {
          Subnet: "10.99.0.0/16",
          IPRange: "10.99.5.0/24",
          Gateway: "10.99.0.1",
          AuxiliaryAddresses: { router: "10.99.5.1" },
        },
      ]);

      const served = ["run", "-d", "--name", "web", "--network", "front", "--network-alias", "shop"];
      const id = await ok(...served, "--ip", "10.99.5.9", "busybox", "sleep", "600");
      expect(
        await ok("run", "--rm", "--network", "front", "busybox", "ping", "-c1", "-W5", "shop"),
      ).toContain("10.99.5.9");
      await ok("network", "connect", "--alias", "two", "back", "web");
      const networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
      expect(await ok("inspect", "-f", networks, "web")).toBe("back front");
      expect(await ok("exec", "web", "ip", "-o", "-4", "address")).toMatch(
        /10\.99\.5\.9\/16[\s\S]*172\.\d+\.\d+\.\d+\/16/,
      );
      expect(await ok("run", "--rm", "--network", "back", "busybox", "ping", "-c1", "-W5", "two")).toContain(
        "1 packets received",
      );
      const { Name, IPv4Address } = JSON.parse(
        await ok("network", "inspect", "-f", `{{json (index .Containers "${id}")}}`, "front"),
      );
      expect([Name, IPv4Address]).toEqual(["web", "10.99.5.9/16"]);
      expect(await ok("ps", "--filter", "network=front", "--format", "{{.Names}} {{.Networks}}")).toMatch(
        /^web (back,front|front,back)$/,
      );

      const busy = await client.run(host, ["network", "rm", "front"]);
      expect([busy.code, busy.stderr]).toEqual([1, expect.stringContaining("has active endpoints")]);
      await ok("network", "disconnect", "back", "web");
      expect(await ok("inspect", "-f", networks, "web")).toBe("front");
      expect(await ok("exec", "web", "ip", "-o", "-4", "address")).not.toContain("172.");
      await ok("rm", "-f", "web");
      expect(await ok("network", "rm", "front")).toBe("front");
      expect(await ok("network", "prune", "-f")).toBe("Deleted Networks:\nback");
      expect((await ok("network", "ls", "--format", "{{.Name}}")).split("\n").sort()).toEqual([
        "bridge",
        "host",
        "none",
      ]);
    },
    2 * MINUTE,
  );

  test.each([
    [["network", "rm", "bridge"], "bridge is a pre-defined network and cannot be removed"],
    [["network", "rm", "nosuch"], /network nosuch not found|No such network: nosuch/],
    [["network", "inspect", "nosuch"], /network nosuch not found|No such network: nosuch/],
    [["network", "create", "bridge"], "operation is not permitted on predefined bridge network"],
    [["network", "create", "-d", "nosuch", "x"], /plugin.* nosuch.* not found/],
    [
      ["network", "create", "--subnet", "10.97.0.0/16", "--ip-range", "10.96.0.0/24", "x"],
      "no matching subnet",
    ],
    [["network", "create", "--config-from", "nosuch", "x"], 'configuration network "nosuch" not found'],
    [
      ["network", "create", "--config-from", "bridge", "x"],
      'network "bridge" is not a configuration network',
    ],
    [["network", "connect", "nosuch", "nosuch"], /network nosuch not found|No such container: nosuch/],
    [["network", "prune", "-f", "--filter", "colour=red"], /[Ii]nvalid filter 'colour/],
    [["network", "ls", "--filter", "type=x"], /[Ii]nvalid filter/],
  ] as const)(
    "%j is refused in Docker's words",
    async (words, sentence) => {
      const { code, stdout, stderr } = await client.run(host, words);
      expect(code).toBe(1);
      expect(`${stdout}${stderr}`).toMatch(
        typeof sentence === "string" ? new RegExp(sentence.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")) : sentence,
      );
    },
    MINUTE,
  );

  test(
    "prune asks first",
    async () => {
      await ok("network", "create", "idle");
      const asked = await client.run(host, ["network", "prune"], "n\n");
      expect(asked.code).toBe(0);
      expect(asked.stdout).toContain("Are you sure you want to continue? [y/N]");
      expect(await ok("network", "ls", "-q", "--filter", "name=idle")).not.toBe("");
      expect((await client.run(host, ["network", "prune"], "y\n")).stdout).toContain(
        "Deleted Networks:\nidle",
      );
    },
    MINUTE,
  );
});

/** Debian's docker-compose cannot look at a network again that has subnets of its own. */
const PLAIN = `version: "3.7"
services:
  asker:
    image: busybox
    command: sleep 600
    networks: [plain]
networks:
  plain:
    driver: bridge
    driver_opts: {com.docker.network.driver.mtu: "1400"}
`;

const PROJECT = `version: "2.4"
services:
  server:
    image: busybox
    command: httpd -f -p 80 -h /etc
    networks:
      front:
        ipv4_address: 10.98.0.10
        aliases: [shop]
  asker:
    image: busybox
    command: sleep 600
    depends_on: [server]
    networks: [front, back]
networks:
  front:
    ipam:
      config:
        - subnet: 10.98.0.0/24
  back:
    internal: true
    labels: {tier: back}
`;

/** Debian's docker-compose with a project of its own in a throw-away folder. */
async function composer(project: string, text: string) {
  const home = await scratch();
  await Bun.write(`${home.path}/docker-compose.yml`, text);
  const program = ["/usr/bin/docker-compose", "--ansi", "never", "-p", project];
  return {
    async compose(...words: readonly string[]) {
      const command = [...program, "-f", `${home.path}/docker-compose.yml`, ...words];
      const outcome = await run(command, { DOCKER_HOST: host, DOCKER_CONFIG: home.path });
      if (outcome.code === 0) return outcome;
      throw new Error(`${words.join(" ")} ended with ${outcome.code}: ${outcome.stderr}`);
    },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  };
}

test(
  "docker-compose brings two services up on a network with an alias and a static address, and takes them down",
  async () => {
    await using project = await composer("shop", PROJECT);
    const { compose } = project;
    await compose("up", "-d");
    expect((await compose("ps", "-q")).stdout.trim().split("\n")).toHaveLength(2);
    const page = async (name: string) =>
      (await compose("exec", "-T", "asker", "wget", "-q", "-O-", `http://${name}/passwd`)).stdout;
    for (const name of ["shop", "server", "10.98.0.10"]) expect(await page(name)).toContain("root:x:0:0");
    const filter = "label=com.docker.compose.project=shop";
    const networks = await daemon.ok(
      "network",
      "ls",
      "--filter",
      filter,
      "--format",
      "{{.Name}} {{.Internal}}",
    );
    expect(networks.split("\n")).toEqual(["shop_back true", "shop_front false"]);
    await compose("restart", "-t", "0", "server");
    expect(await page("shop")).toContain("root:x:0:0");
    await compose("down", "-t", "0");
    expect(await daemon.ok("network", "ls", "-q", "--filter", "name=shop")).toBe("");
  },
  3 * MINUTE,
);

test(
  "docker-compose finds what it made as it left it",
  async () => {
    await using project = await composer("plain", PLAIN);
    await project.compose("up", "-d");
    expect((await project.compose("up", "-d")).stderr).toContain("plain_asker_1 is up-to-date");
    await project.compose("down", "-t", "0");
  },
  MINUTE,
);
