import { describe, expect, test } from "bun:test";
import { readConfig } from "../../../src/daemon/config.ts";
import { daemonHelp, readFlags } from "../../../src/daemon/flags.ts";
import { networkSettings } from "../../../src/daemon/network-values.ts";
import { SETTINGS } from "../../../src/daemon/settings.ts";
import { scratchFile } from "../../fakes/files.ts";

const NO_FILE = ["--config-file", "/dev/null"];

describe("the daemon's settings", () => {
  test("come with defaults that follow the roots", () => {
    const config = readConfig([...NO_FILE, "--exec-root", "/run/other"]);
    expect(config.hosts).toEqual(["unix:///run/other/bunker.sock"]);
    expect(config.pidfile).toBe("/run/other/bunker.pid");
    expect(config["cgroup-parent"]).toMatch(/^bunker-[0-9a-f]{8}$/);
    expect(readConfig(NO_FILE)["cgroup-parent"]).toBe("bunker");
    expect(config["data-root"]).toBe("/var/lib/bunker");
    expect(config["default-shm-size"]).toBe(64 * 1024 * 1024);
  });

  const accepted: [string[], string, unknown][] = [
    [
      ["daemon", "-H", "unix:///a.sock", "-H=tcp://127.0.0.1:1"],
      "hosts",
      ["unix:///a.sock", "tcp://127.0.0.1:1"],
    ],
    [["-d", "--mtu=1400"], "mtu", 1400],
    [["--daemon=true", "--iptables=false"], "iptables", false],
    [["--debug"], "log-level", "debug"],
    [["--default-shm-size", "1m"], "default-shm-size", 1048576],
    [["--default-shm-size", "4096"], "default-shm-size", 4096],
    [
      ["--log-opt", "max-size=10m", "--log-opt", "max-file=3"],
      "log-opts",
      { "max-size": "10m", "max-file": "3" },
    ],
    [["--add-runtime", "crun=/usr/bin/crun"], "runtimes", { crun: { path: "/usr/bin/crun", args: [] } }],
    [["--add-runtime", "a=/a", "--default-runtime=a"], "default-runtime", "a"],
    [["--default-runtime", "runc"], "default-runtime", "runc"],
    [["--gc", "high=90%"], "gc", { high: 0.9, low: 0.7, keep: 86_400 }],
    [["--gc", "low=50", "--gc=keep=1h30m"], "gc", { high: 0.85, low: 0.5, keep: 5400 }],
    [["--registry-mirror", "http://127.0.0.1:5000"], "registry-mirrors", ["http://127.0.0.1:5000"]],
    [
      [
        "--default-address-pool",
        "base=10.0.0.0/8,size=24",
        "--default-address-pool=base=fd00:1::/48,size=64",
      ],
      "default-address-pools",
      [
        { base: "10.0.0.0/8", size: 24 },
        { base: "fd00:1::/48", size: 64 },
      ],
    ],
    [
      [
        "--default-network-opt",
        "bridge=com.docker.network.driver.mtu=1400",
        "--default-network-opt=bridge=a=b=c",
      ],
      "default-network-opts",
      { bridge: { "com.docker.network.driver.mtu": "1400", a: "b=c" } },
    ],
    [["--ipv6"], "ipv6", true],
    [["--bip6", "fd00:2::1/64"], "bip6", "fd00:2::1/64"],
    [["--fixed-cidr-v6", "fd00:2::/80"], "fixed-cidr-v6", "fd00:2::/80"],
    [["--default-gateway", "10.1.0.254"], "default-gateway", "10.1.0.254"],
    [["--ip6tables=false"], "ip6tables", false],
    [["--firewall-backend=nftables"], "firewall-backend", "nftables"],
    [["--publish-mode", "input"], "publish-mode", "input"],
    [["--userland-proxy=false"], "userland-proxy", false],
    [["--allow-direct-routing"], "allow-direct-routing", true],
    [["--ip-forward-no-drop"], "ip-forward-no-drop", true],
    [
      ["--host-gateway-ip", "10.1.0.1", "--host-gateway-ip=fd00::1"],
      "host-gateway-ips",
      ["10.1.0.1", "fd00::1"],
    ],
    [["--cluster-store", "etcd://10.0.0.1:2379/bunker"], "cluster-store", "etcd://10.0.0.1:2379/bunker"],
  ];
  test.each(accepted)("%j sets %s", (words, key, value) => {
    const config: Record<string, unknown> = readConfig([...words, ...NO_FILE]);
    expect(config[key]).toEqual(value);
  });

  const refused: [string[], RegExp][] = [
    [["--frobnicate"], /unknown flag --frobnicate/],
    [["--mtu", "many"], /--mtu takes a whole number/],
    [["--mtu"], /--mtu needs a value/],
    [["--icc=perhaps"], /--icc takes true or false/],
    [["--data-root", "relative"], /data-root/],
    [["--bridge", "a-name-that-is-far-too-long"], /bridge/],
    [["--cgroup-parent", "a/../../b"], /cgroup-parent/],
    [["stray"], /unknown flag stray/],
    [["--registry-mirror", "https://me:word@mirror.example"], /registry-mirrors\.0 .*without credentials/],
    [["--registry-mirror", "https://mirror.example/?a=b"], /registry-mirrors\.0/],
    [["--registry-mirror", "mirror.example"], /registry-mirrors\.0/],
    [["--default-address-pool", "10.0.0.0/8"], /--default-address-pool needs a value/],
    [["--default-address-pool", "base=10.0.0.0/8"], /takes base=SUBNET,size=BITS/],
    [["--default-address-pool", "base=10.0.0.0/8,size=7"], /default-address-pools\.0 .*not shorter than/],
    [["--default-address-pool", "base=10.0.0.0/8,size=33"], /default-address-pools\.0/],
    [["--default-address-pool", "base=ten,size=24"], /default-address-pools\.0\.base/],
    [["--bip6", "10.0.0.1/8"], /bip6/],
    [["--default-gateway", "gate"], /default-gateway/],
    [["--firewall-backend", "pf"], /firewall-backend/],
    [["--publish-mode", "output"], /publish-mode/],
    [["--cluster-store", "consul://x"], /cluster-store/],
    [["--host-gateway-ip", "gate"], /host-gateway-ips\.0/],
    [["--gc", "high=50%"], /low must be below high/],
    [["--gc", "high=many"], /no share of the disk/],
    [["--gc", "keep=24"], /no duration/],
    [["--gc", "volumes=yes"], /gc/],
  ];
  test.each(refused)("%j is refused", (words, reason) => {
    expect(() => readConfig([...NO_FILE, ...words])).toThrow(reason);
  });

  test("an unknown key of the file is refused by name", async () => {
    await using file = await scratchFile('{"data-root": "/x", "frobnicate": 1}');
    expect(() => readConfig(["--config-file", file.path])).toThrow(/"frobnicate" is not supported/);
  });

  test.each([
    ['{"runtimes": {"kata": {"runtimeType": "io.containerd.kata.v2"}}}', /runtimeType is not supported/],
    ['{"runtimes": {"a": {}}}', /needs the path/],
    ['{"runtimes": {"a": {"path": "/a", "runtimeArgs": ["--systemd-cgroup"]}}}', /keeps the groups itself/],
    ['{"runtimes": {"a": {"path": "/a", "runtimeArgs": ["--root=/x"]}}}', /the engine's own to say/],
    ['{"runtimes": {"native": {"path": "/a"}}}', /the engine's own/],
    ['{"runtimes": {"../a": {"path": "/a"}}}', /letters, digits/],
    ['{"default-runtime": "crun"}', /default runtime crun is not among the runtimes; there is native/],
  ])("the runtimes of %s are refused", async (text, reason) => {
    await using file = await scratchFile(text);
    expect(() => readConfig(["--config-file", file.path])).toThrow(reason);
  });

  test("a key in both file and flags is refused", async () => {
    await using file = await scratchFile('{"mtu": 1400}');
    expect(() => readConfig(["--config-file", file.path, "--mtu", "1300"])).toThrow(/mtu is set both/);
  });

  test("a damaged file is refused with its name", async () => {
    await using file = await scratchFile('{"mtu": ');
    expect(() => readConfig(["--config-file", file.path])).toThrow(file.path);
  });

  test("of networks reach the network room by its own names", () => {
    const plain = networkSettings(readConfig(NO_FILE));
    expect(plain).toEqual({
      name: "bunker0",
      mtu: 1500,
      icc: true,
      ipv6: false,
      ipForward: true,
      ipForwardNoDrop: false,
      ipMasquerade: true,
      iptables: true,
      ip6tables: true,
      firewallBackend: "",
      allowDirectRouting: false,
      userlandProxy: true,
      publishMode: "forward",
      hostGatewayAddresses: [],
      defaultAddress: "",
      addressPools: [],
      defaultNetworkOptions: {},
    });
    const words = ["--bip6=fd00:2::1/64", "--fixed-cidr=10.1.2.0/24", "--default-gateway-v6", "fd00:2::fe"];
    expect(networkSettings(readConfig([...NO_FILE, ...words, "--host-gateway-ip=10.1.0.1"]))).toEqual({
      ...plain,
      bip6: "fd00:2::1/64",
      fixedCidr: "10.1.2.0/24",
      defaultGatewayV6: "fd00:2::fe",
      hostGatewayAddresses: ["10.1.0.1"],
    });
  });

  test("the older key of the host's gateway counts as well", async () => {
    await using file = await scratchFile('{"host-gateway-ip": "10.1.0.1", "host-gateway-ips": ["fd00::1"]}');
    const { hostGatewayAddresses } = networkSettings(readConfig(["--config-file", file.path]));
    expect(hostGatewayAddresses).toEqual(["fd00::1", "10.1.0.1"]);
  });

  test("no setting is there twice", () => {
    const keys = SETTINGS.map(({ key }) => key);
    expect(keys).toEqual([...new Set(keys)]);
  });

  test("every flag is in the help", () => {
    const help = daemonHelp();
    for (const setting of SETTINGS) if ("flag" in setting) expect(help).toContain(`--${setting.flag}`);
    expect(readFlags(["daemon", "--help"]).wantsHelp).toBe(true);
  });
});
