import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { detectCgroups, removeParentGroup } from "#libcontainer";
import { describeFlags, type FlagProbe } from "../fixtures/flag-probes.ts";
import { HostPart, PATIENCE } from "../fixtures/host-part.ts";

let part: HostPart;
let folder: string;
/** Of the user's own, and the user's to remove. */
const OWN_PARENT = `/run-flags-${process.pid}`;

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/run-flags-`);
  writeFileSync(`${folder}/env`, "# not this\nFROM_FILE=1=2\nHANDED_ON\n");
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => {
  removeParentGroup(detectCgroups(), OWN_PARENT.slice(1));
  await part?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
}, PATIENCE);

const status = (name: string) => `grep '^${name}' /proc/self/status | cut -f2`;
const namespace = (name: string) => readlinkSync(`/proc/self/ns/${name}`);
const OWN_BOUNDING = BigInt(`0x${/^CapBnd:\t(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]}`);

/** What stands in one container without hindering each other. */
const TOGETHER: readonly FlagProbe[] = [
  { flag: "--hostname", words: ["--hostname", "box"], look: "hostname; echo $HOSTNAME", sees: "box\nbox" },
  {
    flag: "--domainname",
    words: ["--domainname", "example.org"],
    look: "cat /proc/sys/kernel/domainname",
    sees: "example.org",
  },
  {
    flag: "--env",
    words: ["-e", "A=b c", "--env", "NOT_SET"],
    look: "env | grep -E '^(A|NOT_SET)='",
    sees: "A=b c",
  },
  { flag: "--workdir", words: ["-w", "/made/here"], look: "pwd", sees: "/made/here" },
  {
    flag: "--cap-add",
    words: ["--cap-add", "net_admin"],
    look: "ip link set lo mtu 1234 && cat /sys/class/net/lo/mtu",
    sees: "1234",
  },
  {
    flag: "--cap-drop",
    words: ["--cap-drop", "CHOWN"],
    look: "chown 33 /scratch",
    sees: /Operation not permitted/,
  },
  {
    flag: "--ulimit",
    words: ["--ulimit", "nofile=100:200"],
    look: "ulimit -Sn; ulimit -Hn",
    sees: "100\n200",
  },
  {
    flag: "--sysctl",
    words: ["--sysctl", "net.ipv4.ip_default_ttl=33", "--sysctl", "kernel.msgmax=9000"],
    look: "cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/msgmax",
    sees: "33\n9000",
  },
  {
    flag: "--shm-size",
    words: ["--shm-size", "3m"],
    look: "df -k /dev/shm | awk 'END {print $2}'",
    sees: "3072",
  },
  {
    flag: "--tmpfs",
    words: ["--tmpfs", "/scratch:size=1m,mode=700"],
    look: "df -k /scratch | awk 'END {print $2}'; stat -c %a /scratch; touch /scratch/x",
    sees: "1024\n700",
  },
  {
    flag: "--read-only",
    words: ["--read-only"],
    look: "touch /etc/no",
    sees: /Read-only file system/,
  },
  {
    flag: "--init",
    words: ["--init"],
    look: "tr '\\0' ' ' </proc/1/cmdline; echo; echo $$",
    sees: /^(?!sh ).*\n(?!1$)\d+$/,
  },
  {
    flag: "--oom-score-adj",
    words: ["--oom-score-adj", "321"],
    look: "cat /proc/self/oom_score_adj",
    sees: "321",
  },
  {
    flag: "--device",
    words: ["--device", "/dev/loop-control:/dev/control:r"],
    look: ": < /dev/control && echo read; : > /dev/control",
    sees: /^read\n.*Operation not permitted$/,
  },
  {
    // Whether there is such a device or not: what is not allowed is refused before that is asked.
    flag: "--device-cgroup-rule",
    words: ["--device-cgroup-rule", "c 10:200 r"],
    look: "for n in 200 201; do mknod /dev/own$n c 10 $n; (: < /dev/own$n) 2>&1 | grep -c 'not permitted'; done",
    sees: "0\n1",
  },
  {
    flag: "--add-host",
    words: ["--add-host", "friend:10.9.8.7", "--add-host", "six=[2001:db8::1]"],
    look: "grep -E 'friend|six' /etc/hosts",
    sees: "10.9.8.7\tfriend\n2001:db8::1\tsix",
  },
  {
    flag: "--dns",
    words: ["--dns", "10.1.1.1", "--dns", "10.1.1.2"],
    look: "grep nameserver /etc/resolv.conf",
    sees: "nameserver 10.1.1.1\nnameserver 10.1.1.2",
  },
  {
    flag: "--dns-option",
    words: ["--dns-option", "ndots:3", "--dns-opt", "rotate"],
    look: "grep options /etc/resolv.conf",
    sees: "options ndots:3 rotate",
  },
  {
    flag: "--dns-search",
    words: ["--dns-search", "example.net"],
    look: "grep search /etc/resolv.conf",
    sees: "search example.net",
  },
  {
    flag: "--security-opt",
    words: ["--security-opt", "no-new-privileges", "--security-opt", "seccomp=unconfined"],
    look: `${status("NoNewPrivs")}; ${status("Seccomp:")}`,
    sees: "1\n0",
  },
  {
    flag: "--group-add",
    words: ["--group-add", "staff", "--group-add", "777"],
    look: "id -G",
    sees: "0 50 777",
  },
  {
    flag: "--mac-address",
    words: ["--mac-address", "92:d0:c6:0a:29:33"],
    look: "cat /sys/class/net/eth0/address",
    sees: "92:d0:c6:0a:29:33",
  },
  {
    flag: "--cgroup-parent",
    words: ["--cgroup-parent", OWN_PARENT, "--cgroupns", "host"],
    look: "grep -E ':(pids|):' /proc/self/cgroup | head -1 | cut -d: -f3",
    sees: new RegExp(`^${OWN_PARENT}/[0-9a-f]{64}$`),
  },
];

/** Another user, and the host's namespaces. */
const WITH_THE_HOST: readonly FlagProbe[] = [
  { flag: "--user", words: ["--user", "www-data:50"], look: "id -u; id -g; id -G", sees: "33\n50\n50" },
  { flag: "--pid", words: ["--pid", "host"], look: "readlink /proc/self/ns/pid", sees: namespace("pid") },
  { flag: "--ipc", words: ["--ipc", "host"], look: "readlink /proc/self/ns/ipc", sees: namespace("ipc") },
  {
    flag: "--uts",
    words: ["--uts", "host"],
    look: "readlink /proc/self/ns/uts; hostname",
    sees: `${namespace("uts")}\n${hostname()}`,
  },
  { flag: "--net", words: ["--net", "host"], look: "readlink /proc/self/ns/net", sees: namespace("net") },
  {
    flag: "--cgroupns",
    words: ["--cgroupns", "host"],
    look: "readlink /proc/self/ns/cgroup",
    sees: namespace("cgroup"),
  },
  {
    flag: "--userns",
    words: ["--userns", "host"],
    look: "readlink /proc/self/ns/user",
    sees: namespace("user"),
  },
];

const open = () => ({
  part,
  before: [
    "--env-file",
    `${folder}/env`,
    "-v",
    `${folder}:/bound:ro`,
    "--mount",
    "type=tmpfs,dst=/mounted,tmpfs-size=1m",
  ],
});

describeFlags(
  "flags of one container",
  [
    ...TOGETHER,
    { flag: "--env-file", words: [], look: "echo $FROM_FILE; env | grep HANDED_ON", sees: "1=2" },
    {
      flag: "--volume",
      words: [],
      look: "ls /bound; touch /bound/no",
      sees: /^env\n.*Read-only file system/,
    },
    { flag: "--mount", words: [], look: "df -k /mounted | awk 'END {print $2}'", sees: "1024" },
  ],
  open,
);
describeFlags("flags that share what is the host's", WITH_THE_HOST, () => ({ part }));
describeFlags(
  "privileges",
  [
    {
      flag: "--privileged",
      words: ["--privileged"],
      look: status("CapEff"),
      sees: OWN_BOUNDING.toString(16).padStart(16, "0"),
    },
    {
      flag: "--tty",
      words: ["-t"],
      look: "tty; stat -c %t:%T /dev/console | head -c 3",
      sees: /^\/dev\/pts\/0/,
    },
  ],
  () => ({ part }),
);
test("--entrypoint takes the place of the image's, and drops its command", async () => {
  expect(await part.daemon.ok("run", "--rm", "--entrypoint", "/bin/echo", "busybox", "one")).toBe("one");
});
