import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { readFlags } from "../../../src/daemon/flags.ts";
import { REFUSED, refusal } from "../../../src/daemon/refused.ts";
import { RELOADABLE } from "../../../src/daemon/reload.ts";
import { SETTINGS, type Setting } from "../../../src/daemon/settings.ts";
import { expectLiving, type Living } from "./rows.ts";

/** Docker's settings, where their list lies beside the project. */
const LIST = resolve(import.meta.dir, "../../../../shared/surface/daemon-config.tsv");
/** Words of the command line alone, and what answers them. */
const FLAGS_ONLY: Readonly<Record<string, string>> = {
  "(flag only) validate": "wantsValidation",
  "--config-file": "configFile",
  "-v/--version": "the client's -v",
};

interface Row {
  readonly key: string;
  readonly flags: readonly string[];
  readonly priority: string;
  readonly isReloadable: boolean;
}

const settings = (...words: string[]): Living => ["test/system/daemon-settings.test.ts", ...words];
const networks = (...words: string[]): Living => ["test/system/daemon-networks.test.ts", ...words];
const reload = (...words: string[]): Living => ["test/system/reload.test.ts", ...words];
const tls: Living = ["test/system/tls.test.ts", "--tlsverify", "--tlscacert"];
const roots: Living = [
  "test/fixtures/daemon.ts",
  "--data-root",
  "--exec-root",
  "--bridge",
  "--cgroup-parent",
];
const bridge = (...words: string[]): Living => ["test/system/network-bridges.test.ts", ...words];

/** Every setting that takes effect, and where that is seen. */
const TESTS: Readonly<Record<string, Living>> = {
  "allow-direct-routing": ["test/unit/network/bridge-carriage.test.ts", "allowDirectRouting: true"],
  "authorization-plugins": ["test/system/authorization.test.ts", "what it forbids is answered with 403"],
  bip: networks("bip and bip6 are the bridge's own addresses"),
  bip6: networks("bip and bip6 are the bridge's own addresses"),
  bridge: roots,
  "cdi-spec-dirs": ["test/system/devices-cdi.test.ts", "--cdi-spec-dir", "a device by its CDI name"],
  "cgroup-parent": roots,
  "data-root": roots,
  debug: reload('debug: "true"'),
  "default-address-pools": ["test/system/networks.test.ts", "get subnets of the daemon's pools"],
  "default-cgroupns-mode": settings('flag: "default-cgroupns-mode"'),
  "default-gateway": networks('flag: "default-gateway"'),
  "default-gateway-v6": ["test/unit/daemon/config.test.ts", 'defaultGatewayV6: "fd00:2::fe"'],
  "default-ipc-mode": settings("default-ipc-mode shareable lets another container in"),
  "default-network-opts": ["test/system/networks.test.ts", "--default-network-opt"],
  "default-runtime": reload('"default-runtime"'),
  "default-shm-size": settings('flag: "default-shm-size"'),
  "default-stop-timeout": networks("default-stop-timeout kills at once"),
  "default-ulimits": settings('flag: "default-ulimits"'),
  dns: settings('flag: "dns"'),
  "dns-opts": networks('flag: "dns-opts"'),
  "dns-search": networks('flag: "dns-search"'),
  "exec-opts": networks("native.cgroupdriver=cgroupfs"),
  "exec-root": roots,
  experimental: settings("ExperimentalBuild: true"),
  features: settings("never by containerd"),
  "firewall-backend": bridge("--firewall-backend", "another back-end takes over"),
  "fixed-cidr": networks('flag: "fixed-cidr"'),
  "fixed-cidr-v6": networks('flag: "fixed-cidr-v6"'),
  group: networks("group and pidfile are on the disk"),
  "host-gateway-ips": networks('flag: "host-gateway-ips"'),
  hosts: ["test/system/tls.test.ts", "tcp://"],
  "http-proxy": settings("pull goes by the proxy of the settings"),
  "https-proxy": ["test/unit/registry/proxy.test.ts", "http://secure:2"],
  icc: ["test/system/network-reach.test.ts", "without icc a link leads to"],
  init: settings('"--init"', 'flag: "init-path"'),
  "init-path": settings('flag: "init-path"'),
  "insecure-registries": settings("--insecure-registry"),
  ip: networks("ip is where ports are published that name no address"),
  "ip-forward": bridge("forwarding that the daemon turned on"),
  "ip-forward-no-drop": bridge("--ip-forward-no-drop"),
  "ip-masq": ["test/conformance/firewall-backend.ts", "gives what leaves the host's address"],
  ip6tables: ["test/conformance/firewall-backend.ts", "of both families"],
  iptables: ["test/system/network-ports.test.ts", "without the firewall ports go through the relay"],
  ipv6: networks('"--ipv6"', 'flag: "fixed-cidr-v6"'),
  labels: reload("labels"),
  "live-restore": settings("live-restore false, taken over by SIGHUP, ends containers with the daemon"),
  "log-driver": ["test/unit/jobs/defaults.test.ts", "fill what the request leaves open"],
  "log-format": settings("log-format json is an object a line"),
  "log-level": reload("debug"),
  "log-opts": ["test/unit/jobs/defaults.test.ts", "do not hand one log driver's options to another"],
  "max-concurrent-downloads": reload('"max-concurrent-downloads": "3"'),
  "max-concurrent-uploads": ["test/unit/jobs/image-push.test.ts", "concurrentUploads"],
  "max-download-attempts": ["test/unit/registry/attempts.test.ts", "as often as the settings say"],
  "metrics-addr": settings("metrics-addr serves what was counted"),
  "min-api-version": settings("older clients are refused"),
  mtu: networks('flag: "mtu"'),
  "no-new-privileges": networks('flag: "no-new-privileges"'),
  "no-proxy": ["test/unit/registry/proxy.test.ts", "with no-proxy %j goes by"],
  pidfile: networks("group and pidfile are on the disk"),
  proxies: ["test/unit/daemon/registry-values.test.ts", "the object counts as the three"],
  runtimes: [
    "test/system/runtimes.test.ts",
    "--add-runtime",
    "also when the runtime is not among the settings",
  ],
  "registry-mirrors": reload("registry-mirrors"),
  "seccomp-profile": settings('flag: "seccomp-profile"'),
  "shutdown-timeout": ["test/unit/jobs/rest.test.ts", "no longer than the daemon's time"],
  "storage-driver": reload("--storage-driver"),
  "userns-remap": [
    "test/system/host/user-namespaces.test.ts",
    "--userns-remap",
    "somebody on the host who is nobody",
  ],
  "storage-opts": ["test/system/host/size-limit.test.ts", "--storage-opt", "is the daemon's where"],
  tls,
  tlscacert: tls,
  tlscert: tls,
  tlskey: tls,
  tlsverify: tls,
  "userland-proxy": ["test/system/network-ports.test.ts", "without the firewall ports go through the relay"],
};

const isThere = existsSync(LIST);
const rows = isThere ? readFileSync(LIST, "utf8").trimEnd().split("\n").slice(1).map(rowOf) : [];

function rowOf(line: string): Row {
  const [key = "", flag = "", , , priority = "", reloadable = ""] = line.split("\t");
  return { key, flags: flag.match(/--[a-z0-9-]+/g) ?? [], priority, isReloadable: reloadable === "yes" };
}

const settingOf = (key: string): Setting | undefined =>
  (SETTINGS as readonly Setting[]).find((setting) => setting.key === key);

describe.skipIf(!isThere)(
  `Docker's settings of the daemon${isThere ? "" : " (skipped: the list is not beside the project)"}`,
  () => {
    const wanted = rows.filter(
      ({ key, priority }) => /^[AB]$/.test(priority) && !key.startsWith("(flag only)"),
    );
    const stateOf = ({ key, isReloadable }: Row) => {
      if (settingOf(key) === undefined) return `refused: ${REFUSED[key] ?? "NO REASON"}`;
      return isReloadable ? "takes effect, also by SIGHUP" : "takes effect";
    };
    test.each(wanted.map((row) => [row.key, stateOf(row), row] as const))("%s %s", (key, _, row) => {
      const setting = settingOf(key);
      expect([setting !== undefined, REFUSED[key] !== undefined]).toContainAllValues([true, false]);
      if (setting === undefined) {
        for (const flag of row.flags) {
          const reason = refusal(flag.slice(2));
          expect(reason).toBe(REFUSED[key] ?? "NO REASON");
          expect(() => readFlags(["daemon", `${flag}=x`])).toThrow(reason);
        }
        return;
      }
      expect([key, Object.hasOwn(TESTS, key)]).toEqual([key, true]);
      expect(row.flags).toEqual(setting.flag === undefined ? [] : [`--${setting.flag}`]);
      if (row.isReloadable) expect(RELOADABLE as readonly string[]).toContain(key);
    });

    test("the words that only the command line has are read", () => {
      const words = rows.filter(
        ({ key, priority }) => key.startsWith("(flag only)") && /^[AB]$/.test(priority),
      );
      expect(words.length).toBe(3);
      expect(Object.keys(FLAGS_ONLY).length).toBe(words.length);
      expect(readFlags(["--validate", "--config-file", "/x"])).toMatchObject({
        wantsValidation: true,
        configFile: "/x",
      });
    });
  },
);

test.each(Object.entries(TESTS))("%s is tested where it takes effect", (key, living) => {
  expectLiving(living);
  expect([key, settingOf(key) !== undefined || REFUSED[key] !== undefined]).toEqual([key, true]);
});

test("nothing is refused that takes effect", () => {
  expect(SETTINGS.filter(({ key }) => key in REFUSED)).toEqual([]);
});
