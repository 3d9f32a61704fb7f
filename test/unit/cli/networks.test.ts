import { describe, expect, test } from "bun:test";
import { compareNatural } from "../../../src/cli/output/natural.ts";
import { told } from "../../fakes/fake-console.ts";
import { type FakeConnection, type FakeRequest, fakeDaemon } from "../../fakes/fake-daemon.ts";

const NOWHERE = "unix:///nonexistent.sock";

/** Answers by method and path, `[status, body]`; what is not in the table is a network that is not there. */
function answering(replies: Readonly<Record<string, readonly [number, unknown?]>>) {
  return fakeDaemon(({ method, target }: FakeRequest, connection: FakeConnection) => {
    const key = `${method} ${target.replace(/\?.*/, "")}`;
    const [status, body] = replies[key] ?? [404, { message: `network ${target} not found` }];
    connection.reply(status, body);
  });
}

/** [words, body of the request beside the name and the driver] */
const CREATES: readonly (readonly [string[], object])[] = [
  [[], {}],
  [
    ["-d", "macvlan", "-o", "parent=eth0", "--opt", "macvlan_mode=vepa"],
    { Driver: "macvlan", Options: { parent: "eth0", macvlan_mode: "vepa" } },
  ],
  [["--internal", "--attachable"], { Internal: true, Attachable: true }],
  [["--ipv6", "--ipv4=false"], { EnableIPv6: true, EnableIPv4: false }],
  [["--label", "a=b", "--label", "c"], { Labels: { a: "b", c: "" } }],
  [["--scope", "local"], { Scope: "local" }],
  [
    ["--ingress", "--config-only", "--config-from", "base"],
    { Ingress: true, ConfigOnly: true, ConfigFrom: { Network: "base" } },
  ],
  [
    ["--ipam-driver", "mine", "--ipam-opt", "foo=bar"],
    { IPAM: { Driver: "mine", Options: { foo: "bar" }, Config: [] } },
  ],
  [["--subnet", "10.1.0.0/16"], { IPAM: { Config: [{ Subnet: "10.1.0.0/16" }] } }],
  [
    [
      "--subnet=10.1.0.0/16,fd00:1::/64",
      "--ip-range=10.1.5.0/24",
      "--gateway",
      "10.1.0.9",
      "--gateway=fd00:1::9",
      "--aux-address=router=10.1.0.5",
      "--aux-address",
      "other=10.1.0.6",
    ],
    {
      IPAM: {
        Config: [
          {
            Subnet: "10.1.0.0/16",
            IPRange: "10.1.5.0/24",
            Gateway: "10.1.0.9",
            AuxiliaryAddresses: { router: "10.1.0.5", other: "10.1.0.6" },
          },
          { Subnet: "fd00:1::/64", Gateway: "fd00:1::9" },
        ],
      },
    },
  ],
];

describe("bunker network create", () => {
  test.each(CREATES)("%j", async (words, body) => {
    await using daemon = await answering({ "POST /networks/create": [201, { Id: "abc", Warning: "" }] });
    const result = await told(daemon.host, ["network", "create", ...words, "front"]);
    expect(result).toEqual({ code: 0, out: "abc\n", err: "" });
    expect(JSON.parse(daemon.requests[0]?.body ?? "")).toEqual({
      Name: "front",
      Driver: "bridge",
      IPAM: { Config: [] },
      ...body,
    });
  });

  test("says the daemon's warning", async () => {
    await using daemon = await answering({ "POST /networks/create": [201, { Id: "abc", Warning: "mind" }] });
    expect(await told(daemon.host, ["network", "create", "x"])).toMatchObject({
      out: "abc\n",
      err: "WARNING: mind\n",
    });
  });

  test.each([
    [["--ip-range", "10.1.5.0/24"], "every ip-range or gateway must have a corresponding subnet"],
    [["--gateway", "10.1.0.1"], "every ip-range or gateway must have a corresponding subnet"],
    [
      ["--subnet", "10.1.0.0/16", "--subnet", "10.1.5.0/24"],
      "multiple overlapping subnet configuration is not supported",
    ],
    [["--subnet", "10.1.0.0/16", "--ip-range", "10.2.0.0/24"], "no matching subnet for range 10.2.0.0/24"],
    [["--subnet", "10.1.0.0/16", "--gateway", "fd00::1"], "no matching subnet for gateway fd00::1"],
    [
      ["--subnet", "10.1.0.0/16", "--aux-address", "a=10.2.0.1"],
      "no matching subnet for aux-address 10.2.0.1",
    ],
    [["--subnet", "10.1.0.0/16", "--aux-address", "a=b"], 'ParseAddr("b"): unable to parse IP'],
    [
      [
        "--subnet",
        "10.1.0.0/16",
        "--subnet",
        "10.2.0.0/16",
        "--gateway",
        "10.1.0.1",
        "--gateway",
        "10.1.0.2",
      ],
      "cannot configure multiple gateways (10.1.0.2, 10.1.0.1) for the same subnet (10.1.0.0/16)",
    ],
    [
      ["--subnet", "10.1.0.0/16,10.2.0.0/16", "--ip-range", "10.1.1.0/24,10.1.2.0/24"],
      "cannot configure multiple ranges (10.1.2.0/24, 10.1.1.0/24) on the same subnet (10.1.0.0/16)",
    ],
    [["--subnet", "ten"], "invalid subnet: invalid CIDR address: ten"],
    [["--subnet", "10.1.0.0/33"], "invalid subnet: invalid CIDR address: 10.1.0.0/33"],
  ])("%j is refused before anything is asked", async (words, sentence) => {
    expect(await told(NOWHERE, ["network", "create", ...words, "x"])).toEqual({
      code: 1,
      out: "",
      err: `${sentence}\n`,
    });
  });

  test.each([
    [
      ["--ip-range", "ten"],
      'invalid argument "ten" for "--ip-range" flag: invalid string being converted to CIDR: ten',
    ],
    [["--gateway", "gate"], 'for "--gateway" flag: invalid string being converted to IP address: gate'],
    [["--ipv6=perhaps"], 'invalid argument "perhaps" for "--ipv6" flag'],
  ])("%j is no use of the flag", async (words, sentence) => {
    const { code, err } = await told(NOWHERE, ["network", "create", ...words, "x"]);
    expect(code).toBe(125);
    expect(err).toContain(sentence);
  });
});

describe("bunker network connect and disconnect", () => {
  test.each([
    [[], {}],
    [["--alias", "a,b", "--alias=c"], { Aliases: ["a", "b", "c"] }],
    [
      ["--ip", "10.1.0.9", "--ip6=fd00::9", "--link-local-ip", "169.254.1.1"],
      { IPAMConfig: { IPv4Address: "10.1.0.9", IPv6Address: "fd00::9", LinkLocalIPs: ["169.254.1.1"] } },
    ],
    [["--link", "db:store"], { Links: ["db:store"] }],
    [["--driver-opt", "a=b,c=d", "--gw-priority=-2"], { DriverOpts: { a: "b", c: "d" }, GwPriority: -2 }],
  ])("connect %j", async (words, EndpointConfig) => {
    await using daemon = await answering({ "POST /networks/front/connect": [200] });
    const result = await told(daemon.host, ["network", "connect", ...words, "front", "web"]);
    expect(result).toEqual({ code: 0, out: "", err: "" });
    expect(JSON.parse(daemon.requests[0]?.body ?? "")).toEqual({ Container: "web", EndpointConfig });
  });

  test.each([
    [["--ip", "ten"], 125, 'failed to parse IP: "ten"'],
    [["--driver-opt", "a"], 1, "invalid key/value pair format in driver options"],
    [["--link", ""], 125, "empty string specified for links"],
  ])("connect %j fails with %d", async (words, exit, sentence) => {
    const { code, err } = await told(NOWHERE, ["network", "connect", ...words, "front", "web"]);
    expect(code).toBe(exit);
    expect(err).toContain(sentence);
  });

  test.each([
    [[], false],
    [["-f"], true],
  ])("disconnect %j", async (words, Force) => {
    await using daemon = await answering({ "POST /networks/front/disconnect": [200] });
    expect((await told(daemon.host, ["network", "disconnect", ...words, "front", "web"])).code).toBe(0);
    expect(JSON.parse(daemon.requests[0]?.body ?? "")).toEqual({ Container: "web", Force });
  });
});

describe("bunker network rm", () => {
  test("goes on after one that is in use, and ends with 1", async () => {
    await using daemon = await answering({
      "DELETE /networks/a": [403, { message: "network a has active endpoints" }],
      "DELETE /networks/b": [204],
    });
    expect(await told(daemon.host, ["network", "rm", "a", "b"])).toEqual({
      code: 1,
      out: "b\n",
      err: "Error response from daemon: network a has active endpoints\n",
    });
  });

  test("--force is silent about one that is not there, and about nothing else", async () => {
    await using daemon = await answering({ "DELETE /networks/a": [403, { message: "in use" }] });
    expect(await told(daemon.host, ["network", "remove", "-f", "gone"])).toEqual({
      code: 0,
      out: "",
      err: "",
    });
    expect((await told(daemon.host, ["network", "rm", "-f", "a"])).code).toBe(1);
    expect((await told(daemon.host, ["network", "rm", "gone"])).code).toBe(1);
  });
});

describe("bunker network prune", () => {
  const QUESTION =
    "WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue? [y/N] ";
  const reply = { "POST /networks/prune": [200, { NetworksDeleted: ["a", "b"] }] } as const;

  test.each(["n\n", "", "yes\n", "\ny\n"])("%j is no: nothing is asked of the daemon", async (input) => {
    await using daemon = await answering(reply);
    expect(await told(daemon.host, ["network", "prune"], { input })).toEqual({
      code: 0,
      out: QUESTION,
      err: "",
    });
    expect(daemon.requests).toHaveLength(0);
  });

  test.each(["y\n", " Y \n"])("%j is yes", async (input) => {
    await using daemon = await answering(reply);
    const { out } = await told(daemon.host, ["network", "prune"], { input });
    expect(out).toBe(`${QUESTION}Deleted Networks:\na\nb\n\n`);
  });

  test("--force does not ask, --filter is passed on, and nothing removed is nothing said", async () => {
    await using daemon = await answering({ "POST /networks/prune": [200, { NetworksDeleted: null }] });
    const words = ["network", "prune", "-f", "--filter", "until=24h", "--filter=label!=keep"];
    expect(await told(daemon.host, words)).toEqual({ code: 0, out: "", err: "" });
    expect(decodeURIComponent(daemon.requests[0]?.target ?? "")).toBe(
      '/networks/prune?filters={"until":{"24h":true},"label!":{"keep":true}}',
    );
  });
});

describe("bunker network ls", () => {
  const rows = [
    {
      Id: "2".repeat(64),
      Name: "net10",
      Driver: "bridge",
      Scope: "local",
      EnableIPv4: true,
      EnableIPv6: false,
    },
    { Id: "1".repeat(64), Name: "net2", Driver: "null", Scope: "local", Labels: { b: "2", a: "1" } },
  ];
  test.each([
    [
      [],
      "NETWORK ID     NAME      DRIVER    SCOPE\n111111111111   net2      null      local\n222222222222   net10     bridge    local\n",
    ],
    [["-q", "--no-trunc"], `${"1".repeat(64)}\n${"2".repeat(64)}\n`],
    [
      ["--format", "{{.Name}} {{.IPv4}} {{.IPv6}} {{.Internal}} {{.Labels}}"],
      "net2 false false false a=1,b=2\nnet10 true false false \n",
    ],
    [["--format", "table {{.Name}}\t{{.Driver}}"], "NAME      DRIVER\nnet2      null\nnet10     bridge\n"],
  ])("%j", async (words, out) => {
    await using daemon = await answering({ "GET /networks": [200, rows] });
    expect(await told(daemon.host, ["network", "ls", ...words])).toEqual({ code: 0, out, err: "" });
  });

  test("names are sorted as people count", () => {
    const sorted = ["net10", "a", "net2", "net", "net2b", "net02x", "10", "9"].sort(compareNatural);
    expect(sorted).toEqual(["9", "10", "a", "net", "net02x", "net2", "net2b", "net10"]);
  });
});

test("bunker network inspect -v asks for what is verbose", async () => {
  await using daemon = await answering({ "GET /networks/front": [200, { Name: "front" }] });
  expect((await told(daemon.host, ["network", "inspect", "-v", "-f", "{{.Name}}", "front"])).out).toBe(
    "front\n",
  );
  expect(daemon.requests[0]?.target).toBe("/networks/front?verbose=true");
});

describe("bunker network doctor", () => {
  const good = { subject: "firewall back-end", verdict: "good", sentence: "nft is used", remedy: "" };
  const broken = {
    subject: "ip_forward",
    verdict: "broken",
    sentence: "It is off\x1b[2J",
    remedy: "Turn it on",
  };

  test("says what it found and what to do, and ends with 1 when something is broken", async () => {
    await using daemon = await answering({ "GET /bunker/network/doctor": [200, [good, broken]] });
    const { code, out } = await told(daemon.host, ["network", "doctor"]);
    expect(code).toBe(1);
    expect(out).toStartWith("good      firewall back-end: nft is used\nbroken    ip_forward: It is off");
    expect(out).toEndWith("\n          Turn it on\n");
    expect(out).not.toContain("\x1b");
  });

  test("all good is 0; --format has the fields", async () => {
    await using daemon = await answering({ "GET /bunker/network/doctor": [200, [good]] });
    const words = ["network", "doctor", "--format", "{{.Verdict}}/{{.Subject}}"];
    expect(await told(daemon.host, words)).toEqual({ code: 0, out: "good/firewall back-end\n", err: "" });
  });
});

describe("bunker ports", () => {
  const row = {
    containerPort: 80,
    protocol: "tcp",
    hostAddress: "0.0.0.0",
    hostPort: 8020,
    containerId: "4".repeat(64),
    containerName: "web",
    networkName: "front",
    address: "172.18.0.2",
    carrier: "translation",
    reach: "every host that can reach this one",
  };
  const rows = [
    { ...row, hostAddress: "::", address: "fd00::2", carrier: "relay" },
    row,
    {
      ...row,
      hostPort: 53,
      containerPort: 5353,
      protocol: "udp",
      hostAddress: "127.0.0.1",
      reach: "this host only",
    },
  ];

  test("prints who holds each port, and who can reach it", async () => {
    await using daemon = await answering({ "GET /bunker/ports": [200, rows] });
    expect(await told(daemon.host, ["ports"])).toEqual({
      code: 0,
      out: `PORT           PROTO     CONTAINER   TO                NETWORK   CARRIED BY    REACHABLE FROM
127.0.0.1:53   udp       web         172.18.0.2:5353   front     translation   this host only
0.0.0.0:8020   tcp       web         172.18.0.2:80     front     translation   every host that can reach this one
[::]:8020      tcp       web         [fd00::2]:80      front     relay         every host that can reach this one
`,
      err: "",
    });
  });

  test("--format has its fields", async () => {
    await using daemon = await answering({ "GET /bunker/ports": [200, [row]] });
    const words = ["ports", "--format", "{{.Port}} {{.ContainerID}} {{.CarriedBy}}"];
    expect((await told(daemon.host, words)).out).toBe("0.0.0.0:8020 444444444444 translation\n");
  });
});
