import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { FakeRegistry } from "../fakes/registry.ts";
import { scratch } from "../fakes/scratch.ts";
import { BUNKER, run as program, TestDaemon } from "../fixtures/daemon.ts";
import { hostDifference, hostState } from "../fixtures/host-state.ts";
import { busyboxImage } from "../fixtures/index.ts";
import { leftBy, synced } from "../fixtures/leavings.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
/** In a mount namespace of the daemon's own, every name of the firewall programs is one file that cannot be run. */
const HIDE_IPTABLES =
  'for name in iptables iptables-restore ip6tables-restore nft; do path=$(readlink -f "$(command -v "$name")") && mount --bind /dev/null "$path"; done; exec "$@"';
let fake: FakeRegistry;
let daemon: TestDaemon;
let hostPort: number;
let listener: Bun.TCPSocketListener;

beforeAll(async () => {
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
  await daemon.ok("run", "-d", "--name", "taken", "-p", "8040:80", "busybox", "sleep", "600");
  await synced(daemon);
  listener = Bun.listen({ hostname: "0.0.0.0", port: 0, socket: { data() {} } });
  hostPort = listener.port;
}, 5 * MINUTE);

afterAll(async () => {
  listener?.stop(true);
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

/** What Docker's client prints around the one sentence, and bunker too. */
const AROUND = [
  /^Unable to find image '[^\n]*' locally\n/,
  /\n+Run '[^\n]*--help' for more information$/,
  /\n+Usage: [\s\S]*$/,
  /\nError: failed to start containers: [^\n]*$/,
];

interface Case {
  readonly words: readonly string[];
  readonly code: number;
  readonly says: string | RegExp;
  /** What Docker prints on the standard output all the same. */
  readonly prints?: string | RegExp;
}

async function refused({ words, code, says, prints = /^$/ }: Case): Promise<void> {
  const left = await leftBy(daemon, async () => {
    const outcome = await daemon.cli(...words);
    const sentence = AROUND.reduce((text, part) => text.replace(part, ""), outcome.stderr.trim());
    expect({ code: outcome.code, sentence }).toEqual({ code, sentence: expect.stringMatching(says) });
    expect(sentence).not.toMatch(/\n(?!Did you mean)/);
    expect(outcome.stdout).toMatch(prints);
  });
  expect(left).toEqual([]);
}

const run = (...words: readonly string[]) => ["run", "--rm", ...words];

describe("words that make no sense", () => {
  test.each([
    { words: ["run", "--nosuch", "busybox"], code: 125, says: "unknown flag: --nosuch" },
    { words: ["ps", "--nosuch"], code: 125, says: "unknown flag: --nosuch" },
    { words: ["swarm", "init"], code: 1, says: /^Cannot manage a swarm: swarms are not supported; / },
    { words: ["trust", "inspect", "x"], code: 1, says: /^Cannot manage trust: / },
    { words: ["build", "."], code: 1, says: /^Cannot build an image: / },
    { words: ["builder", "prune", "-f"], code: 1, says: "Cannot prune the build cache: there is no builder" },
    { words: ["checkpoint", "create", "taken", "c"], code: 1, says: "checkpoints are not supported" },
    { words: ["run", "--restart", "on-failur", "busybox"], code: 125, says: /; did you mean on-failure\?$/ },
    { words: run("--cap-add", "NET_ADMN", "busybox"), code: 125, says: /; did you mean NET_ADMIN\?$/ },
    { words: run("--pull", "allways", "busybox"), code: 125, says: /; did you mean always\?$/ },
    { words: ["ps", "--filter", "statis=exited"], code: 1, says: /; did you mean status\?$/ },
    { words: ["ps", "-Z"], code: 125, says: "unknown shorthand flag: 'Z' in -Z" },
    { words: ["pss"], code: 1, says: /unknown command: bunker pss\nDid you mean 'bunker ps'\?/ },
    { words: ["container", "statr"], code: 1, says: /Did you mean 'bunker container (start|stats)'\?/ },
    { words: ["rm"], code: 1, says: "requires at least 1 argument" },
    { words: ["stop", "--time", "soon", "taken"], code: 125, says: /invalid argument "soon" for/ },
    { words: run("--memory", "much", "busybox"), code: 125, says: "invalid size: 'much'" },
    { words: run("--memory", "1k", "busybox"), code: 125, says: /[Mm]inimum memory limit allowed is 6MB/ },
    { words: run("--memory", "64m", "--memory-swap", "32m", "busybox"), code: 125, says: /memoryswap limit/ },
    { words: run("--cpus", "fast", "busybox"), code: 125, says: /"fast" for.*--cpus/ },
    { words: run("--cpus", "9999", "busybox"), code: 125, says: /[Rr]ange of CPUs is from 0.01 to/ },
    { words: run("--cpuset-cpus", "4096", "busybox"), code: 125, says: /4096/ },
    { words: run("--pids-limit", "x", "busybox"), code: 125, says: /invalid argument "x" for/ },
    { words: run("-p", "80:http", "busybox"), code: 125, says: /http/ },
    { words: run("-p", "99999:80", "busybox"), code: 125, says: /99999/ },
    { words: run("-e", "=x", "busybox"), code: 125, says: "invalid environment variable: =x" },
    { words: run("-w", "here", "busybox"), code: 125, says: /working directory 'here' is invalid/ },
    { words: run("--name", "a b", "busybox"), code: 125, says: /Invalid container name \(a b\)/ },
    { words: run("-v", "a:b:c:d", "busybox"), code: 125, says: /invalid volume specification|a:b:c:d/ },
    { words: run("-v", "/:here", "busybox"), code: 125, says: /mount path must be absolute/ },
    { words: run("-v", "/tmp:/a", "-v", "/tmp:/a", "busybox"), code: 125, says: "Duplicate mount point: /a" },
    {
      words: run("--mount", "type=bind,dst=/a", "busybox"),
      code: 125,
      says: /field Source must not be empty/,
    },
    { words: run("--network", "nosuch", "busybox"), code: 125, says: "network nosuch not found" },
    { words: run("--network", "container:none", "busybox"), code: 125, says: "No such container: none" },
    { words: ["run", "--restart", "often", "busybox"], code: 125, says: /often/ },
    { words: run("--cap-add", "FLY", "busybox"), code: 125, says: /FLY/i },
    { words: run("--ulimit", "x=1", "busybox"), code: 125, says: /x/ },
    {
      words: run("--device", "/dev/nosuch", "busybox"),
      code: 127,
      says: /custom device "\/dev\/nosuch": no such file or directory$/,
    },
  ] satisfies Case[])("$words", refused, MINUTE);
});

describe("names of what is not there, or is there already", () => {
  test.each([
    { words: run("nosuch"), code: 125, says: /nosuch:latest not found/ },
    { words: ["pull", "nosuch:1"], code: 1, says: /nosuch:1 not found/ },
    { words: run("busybox:nosuch"), code: 125, says: /busybox:nosuch not found/ },
    { words: run("UPPER"), code: 125, says: /invalid reference format: repository name .*must be lowercase/ },
    { words: run("a:b:c"), code: 125, says: "invalid reference format" },
    {
      words: ["tag", "busybox", "a b"],
      code: 1,
      says: /not a valid repository\/tag|invalid reference format/,
    },
    { words: ["rmi", "nosuch"], code: 1, says: "No such image: nosuch" },
    { words: ["rmi", "busybox"], code: 1, says: /unable to remove repository reference "busybox"|container/ },
    { words: ["inspect", "nosuch"], code: 1, says: /[Nn]o such object: nosuch/, prints: "[]" },
    { words: ["create", "--name", "taken", "busybox"], code: 1, says: /name "\/taken" is already in use/ },
    { words: run("--name", "taken", "busybox"), code: 125, says: /name "\/taken" is already in use/ },
    { words: ["rm", "taken"], code: 1, says: /container is running/ },
    ...[
      "start",
      "stop",
      "restart",
      "kill",
      "rm",
      "logs",
      "top",
      "pause",
      "port",
      "wait",
      "attach",
      "diff",
    ].map((verb) => ({ words: [verb, "nosuch"], code: 1, says: "No such container: nosuch" })),
    { words: ["exec", "nosuch", "true"], code: 1, says: "No such container: nosuch" },
    { words: ["rename", "nosuch", "other"], code: 1, says: "No such container: nosuch" },
    { words: ["jobs", "cancel", "nosuch"], code: 1, says: /nosuch/ },
    { words: ["kill", "-s", "NOSUCH", "taken"], code: 1, says: /[Ii]nvalid signal: NOSUCH/ },
    { words: ["unpause", "taken"], code: 1, says: /is not paused/ },
  ] satisfies Case[])("$words", refused, MINUTE);
});

describe("programs that cannot be run", () => {
  test.each([
    { words: run("busybox", "nosuch"), code: 127, says: /"nosuch": executable file not found in \$PATH/ },
    { words: run("busybox", "/no/such"), code: 127, says: /\/no\/such.*no such file or directory/ },
    { words: run("busybox", "/etc/passwd"), code: 126, says: /\/etc\/passwd.*permission denied/ },
    { words: run("busybox", "/etc"), code: 126, says: /\/etc.*(is a directory|permission denied)/ },
    { words: run("-u", "ghost", "busybox", "true"), code: 125, says: /ghost.*no matching entries in passwd/ },
    {
      words: run("-u", "0:ghosts", "busybox", "true"),
      code: 125,
      says: /ghosts.*no matching entries in group/,
    },
    {
      words: run("-v", "/etc/passwd:/etc", "busybox", "true"),
      code: 125,
      says: /not a directory: are you trying/,
    },
    {
      words: run("-v", "/tmp:/etc/passwd", "busybox", "true"),
      code: 125,
      says: /not a directory: are you trying/,
    },
  ] satisfies Case[])("$words", refused, MINUTE);
});

/** Once its stream is open Docker tells what fails in it, as output. */
describe("programs that exec cannot run", () => {
  test.each([
    [["taken", "nosuch"], 127, /"nosuch": executable file not found in \$PATH/],
    [["taken", "/etc/passwd"], 126, /permission denied/],
    [["-u", "ghost", "taken", "true"], 126, /ghost: no matching entries in passwd file/],
    [["-w", "/nosuch", "taken", "true"], 127, /\/nosuch: no such file or directory/],
  ] as const)(
    "%j",
    async (words, code, says) => {
      const left = await leftBy(daemon, async () => {
        const { stdout, ...outcome } = await daemon.cli("exec", ...words);
        expect(outcome).toEqual({ code, stderr: "" });
        expect(stdout).toMatch(says);
        expect(stdout.trim().split("\n")).toHaveLength(1);
      });
      expect(left).toEqual([]);
    },
    MINUTE,
  );
});

describe("ports that are taken", () => {
  test(
    "by another container, which is named",
    () => refused({ words: run("-p", "8040:80", "busybox"), code: 125, says: /8040.*taken/ }),
    MINUTE,
  );

  test(
    "by a process of the host, which is named",
    async () => {
      const says = new RegExp(`${hostPort} failed: port is already allocated.*${process.pid}`);
      await refused({ words: run("-p", `${hostPort}:80`, "busybox"), code: 125, says });
    },
    MINUTE,
  );
});

describe("a container whose start has failed", () => {
  test(
    "is kept as it was created, without --rm, and goes whole",
    async () => {
      const left = await leftBy(daemon, async () => {
        expect((await daemon.cli("run", "--name", "stillborn", "busybox", "nosuch")).code).toBe(127);
        const [{ State }] = JSON.parse(await daemon.ok("inspect", "stillborn"));
        expect(State).toMatchObject({ Status: "created", ExitCode: 127, Pid: 0 });
        expect(State.Error).toContain("executable file not found");
        expect((await daemon.cli("start", "stillborn")).code).toBe(1);
        await daemon.ok("rm", "stillborn");
      });
      expect(left).toEqual([]);
    },
    MINUTE,
  );

  test(
    "leaves no folder for a bind mount that was made for it",
    async () => {
      await using box = await scratch();
      await mkdir(`${box.path}/there`);
      const words = run("-v", `${box.path}/made/deep:/a`, "busybox", "nosuch");
      await refused({ words, code: 127, says: /executable file not found/ });
      expect([...new Bun.Glob("**").scanSync({ cwd: box.path, onlyFiles: false })]).toEqual(["there"]);
    },
    MINUTE,
  );
});

/** The parent group of daemons that do not come to be. */
const NEVER = `bunker-test-never-${process.pid}`;

describe("a daemon that cannot be", () => {
  /** Runs the words to their end on roots of their own, none of which may be left. */
  async function refusedDaemon(
    words: readonly string[],
    says: RegExp,
    prefix: readonly string[] = [],
  ): Promise<void> {
    await using box = await scratch();
    const roots = [
      "--data-root",
      `${box.path}/data`,
      "--exec-root",
      `${box.path}/run`,
      "--bridge",
      "btnever",
      "--cgroup-parent",
      NEVER,
    ];
    const before = await hostState(NEVER);
    const outcome = await program([
      ...prefix,
      BUNKER,
      "daemon",
      ...roots,
      "--config-file",
      "/dev/null",
      ...words,
    ]);
    expect(outcome).toEqual({ code: 1, stdout: "", stderr: expect.stringMatching(says) });
    expect(outcome.stderr.trim()).not.toContain("\n");
    expect(hostDifference(before, await hostState(NEVER))).toEqual([]);
    expect(readdirSync(box.path)).toEqual([]);
  }

  test.each([
    [["--nosuch"], /unknown flag --nosuch/],
    [["--mtu", "many"], /--mtu takes a whole number, not "many"/],
    [["--mtu", "1"], /mtu.*68/],
    [["--bridge", "a/b"], /bridge.*interface name/],
    [["--bip", "300.1.1.1/24"], /300\.1\.1\.1/],
    [["--registry-mirror", "nowhere"], /registry-mirrors.*URL/i],
    [["--storage-driver", "aufs"], /aufs.*overlay2/],
    [["--storage-driver", "devicemapper"], /devicemapper.*overlay2/],
    [["--storage-driver", "nosuch"], /storage driver nosuch.*overlay2, .* or vfs/],
    [["-H", "tcp://0.0.0.0:2375"], /--insecure-tcp/],
    [["-H", "tcp://127.0.0.1:2375"], /on loopback that is every user.*--insecure-tcp/],
    [["-H", "tcp://127.0.0.1:2375", "--tlsverify", "--tlscert", "/nosuch.pem"], /nosuch\.pem.*--tlscert/],
    [["-H", "tcp://127.0.0.1:2375", "--tls", "--tlscert=/dev/null", "--tlskey=/dev/null"], /--tlsverify/],
    [["-H", "tcp://127.0.0.1:2375", "--tlsverify=false", "--tlscert=/dev/null", "--tlskey=/dev/null"], /TLS/],
    [["-H", "gopher://x"], /gopher/],
    [["--log-level", "loud"], /log-level/],
    [["--config-file", "/nosuch.json"], /\/nosuch\.json/],
  ] as readonly (readonly [readonly string[], RegExp])[])(
    "%j",
    (words, says) => refusedDaemon(words, says),
    MINUTE,
  );

  test.each([
    ["{", /Cannot read the configuration file/],
    ["[]", /one JSON object/],
    ['{"nosuch": 1}', /nosuch/],
    ['{"mtu": "1500"}', /mtu/],
    ['{"storage-driver": "vfs"}', /storage-driver is set both by a flag and in the configuration file/],
  ])(
    "configured by %s",
    async (text, says) => {
      await using box = await scratch();
      await Bun.write(`${box.path}/daemon.json`, text);
      const words = ["--config-file", `${box.path}/daemon.json`, "--storage-driver", "vfs"];
      await refusedDaemon(words, says);
    },
    MINUTE,
  );

  test(
    "as nobody",
    () =>
      refusedDaemon([], /containers need root/, [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
      ]),
    MINUTE,
  );

  test(
    "on the roots of another: the pid of that one is named, and it goes on",
    async () => {
      const left = await leftBy(daemon, async () => {
        const outcome = await program(daemon.command);
        expect(outcome.code).toBe(1);
        expect(outcome.stderr).toContain(`the bunker daemon with pid ${daemon.pid} is using it`);
      });
      expect(left).toEqual([]);
      expect(await daemon.ok("exec", "taken", "echo", "unharmed")).toBe("unharmed");
    },
    MINUTE,
  );
});

describe("a host without iptables", () => {
  test(
    "runs nothing on a bridge, saying what is missing, and what needs none of it",
    async () => {
      const prefix = ["unshare", "--mount", "--", "sh", "-c", HIDE_IPTABLES, "sh"];
      await using bare = await TestDaemon.start({ prefix, args: ["--registry-mirror", fake.url] });
      await bare.ok("rm", await bare.ok("create", "busybox"));
      await synced(bare);
      const left = await leftBy(bare, async () => {
        const { code, stderr } = await bare.cli("run", "--rm", "-p", "8041:80", "busybox", "true");
        expect([code, stderr]).toEqual([125, expect.stringMatching(/iptables.*not installed/)]);
      });
      expect(left).toEqual([]);
      expect(await bare.ok("run", "--rm", "--network", "none", "busybox", "echo", "alive")).toBe("alive");
    },
    MINUTE,
  );
});
