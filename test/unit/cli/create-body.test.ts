import { describe, expect, test } from "bun:test";
import { createBody, withoutStreams } from "../../../src/cli/create/body.ts";
import { CREATE_FLAGS } from "../../../src/cli/create/flags.ts";
import { parseFlags } from "../../../src/cli/flags.ts";
import { scratch } from "../../fakes/scratch.ts";
import { added, body } from "./create-words.ts";

const port = (HostPort: string, HostIp = "") => ({ HostIp, HostPort });

describe("the body of create, ports", () => {
  test.each<[string[], Record<string, unknown>]>([
    [["80"], { "80/tcp": [port("")] }],
    [["8020:80"], { "80/tcp": [port("8020")] }],
    [["8020:80/udp"], { "80/udp": [port("8020")] }],
    [["8020:80/TCP"], { "80/tcp": [port("8020")] }],
    [["127.0.0.1:8020:80"], { "80/tcp": [port("8020", "127.0.0.1")] }],
    [["127.0.0.1::80"], { "80/tcp": [port("", "127.0.0.1")] }],
    [["[::1]:8020:80"], { "80/tcp": [port("8020", "::1")] }],
    [["::1:8020:80"], { "80/tcp": [port("8020", "::1")] }],
    [["8000-8001:80-81"], { "80/tcp": [port("8000")], "81/tcp": [port("8001")] }],
    [["8000-8010:80"], { "80/tcp": [port("8000-8010")] }],
    [["80-81"], { "80/tcp": [port("")], "81/tcp": [port("")] }],
    [["8020:80", "8021:80"], { "80/tcp": [port("8020"), port("8021")] }],
    [["target=80,published=8020,protocol=udp"], { "80/udp": [port("8020")] }],
  ])("%p", (specs, bindings) => {
    const { PortBindings, ExposedPorts } = added(specs.flatMap((spec) => ["-p", spec]));
    expect(PortBindings).toEqual(bindings as never);
    expect(Object.keys(ExposedPorts ?? {})).toEqual(Object.keys(bindings));
  });

  test.each([
    ["abc", "invalid containerPort: abc"],
    ["99999:80", "invalid hostPort: 99999"],
    ["80/foo", "invalid proto: foo"],
    ["1.2.3:80:80", "invalid IP address: 1.2.3"],
    ["8020:", "no port specified: 8020:<empty>"],
    ["1-3:5-6", "invalid ranges specified for container and host Ports: 5-6 and 1-3"],
    ["3-1:80", "invalid hostPort: 3-1"],
    ["target=80,published=", "invalid publish opts format"],
  ])("%p is refused", (spec, message) => {
    expect(() => body(["-p", spec])).toThrow(message);
  });

  test("ranges may be exposed", () => {
    expect(Object.keys(added(["--expose", "80-81/udp", "--expose", "90"]).ExposedPorts ?? {})).toEqual([
      "80/udp",
      "81/udp",
      "90/tcp",
    ]);
    expect(() => body(["--expose", "a"])).toThrow(
      'invalid range format for --expose: a, error: strconv.ParseUint: parsing "a"',
    );
  });
});

describe("the body of create", () => {
  test.each<[string[], Record<string, unknown>]>([
    [[], {}],
    [["-it"], { AttachStdin: true, Tty: true, OpenStdin: true, StdinOnce: true }],
    [["-a", "stdout"], { AttachStdout: true, AttachStderr: false }],
    [["-i", "-a", "STDERR"], { OpenStdin: true, AttachStdout: false, AttachStderr: true }],
    [["-v", "/a:/b", "-v", "vol:/c:ro"], { Binds: ["/a:/b", "vol:/c:ro"] }],
    [["-v", "./rel:/b", "-v", "../up:/c"], { Binds: ["/work/rel:/b", "/up:/c"] }],
    [["-v", "/anon"], { Volumes: { "/anon": {} } }],
    [["--tmpfs", "/run", "--tmpfs", "/tmp:size=64m"], { Tmpfs: { "/run": "", "/tmp": "size=64m" } }],
    [["-l", "a=b=c", "-l", "d"], { Labels: { a: "b=c", d: "" } }],
    [
      ["--ulimit", "nofile=5:6", "--ulimit", "core=-1"],
      { Ulimits: [limit("nofile", 5, 6), limit("core", -1, -1)] },
    ],
    [["--device", "/dev/fuse"], { Devices: [device("/dev/fuse", "/dev/fuse", "rwm")] }],
    [["--device", "/dev/a:r"], { Devices: [device("/dev/a", "/dev/a", "r")] }],
    [["--device", "/dev/a:/dev/b:rw"], { Devices: [device("/dev/a", "/dev/b", "rw")] }],
    [["-m", "512m"], { Memory: 512 << 20 }],
    [["-m", "1.5g", "--memory-swap", "-1"], { Memory: 1.5 * 2 ** 30, MemorySwap: -1 }],
    [
      ["--memory-reservation", "100KiB", "--shm-size", "64 MB"],
      { MemoryReservation: 102400, ShmSize: 64 << 20 },
    ],
    [["--cpus", "1.5", "-c", "512"], { NanoCpus: 1.5e9, CpuShares: 512 }],
    [["--restart", "on-failure:3"], { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 } }],
    [["--rm"], { AutoRemove: true }],
    [["--rm", "--restart", "no"], { AutoRemove: true, RestartPolicy: { Name: "no", MaximumRetryCount: 0 } }],
    [["--network", "host"], { NetworkMode: "host" }],
    [["--net", "foo"], { NetworkMode: "foo" }],
    [
      ["--network", "foo", "--ip", "10.0.0.5", "--network-alias", "a"],
      {
        NetworkMode: "foo",
        ...endpoints({ foo: { IPAMConfig: { IPv4Address: "10.0.0.5" }, Aliases: ["a"] } }),
      },
    ],
    [
      ["--network", "name=foo,alias=a,alias=b,driver-opt=x=y"],
      { NetworkMode: "foo", ...endpoints({ foo: { Aliases: ["a", "b"], DriverOpts: { x: "y" } } }) },
    ],
    [
      [
        "--network",
        "name=a,ip=10.0.0.5,ip6=fd00::5,link-local-ip=169.254.0.5,mac-address=02:42:0a:00:00:05,gw-priority=-7",
        "--network=b",
      ],
      {
        NetworkMode: "a",
        ...endpoints({
          a: {
            IPAMConfig: { IPv4Address: "10.0.0.5", IPv6Address: "fd00::5", LinkLocalIPs: ["169.254.0.5"] },
            MacAddress: "02:42:0a:00:00:05",
            GwPriority: -7,
          },
          b: {},
        }),
      },
    ],
    [
      [
        "--net",
        "name=a,alias=x",
        "--ip",
        "10.0.0.5",
        "--link",
        "db:store",
        "--mac-address",
        "0242.0a00.0005",
      ],
      {
        NetworkMode: "a",
        Links: ["db:store"],
        ...endpoints({
          a: {
            Aliases: ["x"],
            IPAMConfig: { IPv4Address: "10.0.0.5" },
            Links: ["db:store"],
            MacAddress: "0242.0a00.0005",
          },
        }),
      },
    ],
    [
      [
        "--network",
        "a",
        "--net-alias",
        "x",
        "--network-alias=y",
        "--ip6",
        "fd00::5",
        "--link-local-ip",
        "fe80::5",
      ],
      {
        NetworkMode: "a",
        ...endpoints({
          a: { Aliases: ["x", "y"], IPAMConfig: { IPv6Address: "fd00::5", LinkLocalIPs: ["fe80::5"] } },
        }),
      },
    ],
    [["--mac-address", "02:42:0a:00:00:05"], endpoints({ default: { MacAddress: "02:42:0a:00:00:05" } })],
    [["--network", "a", "--network", "b"], { NetworkMode: "a", ...endpoints({ a: {}, b: {} }) }],
    [["--link", "db:store"], { Links: ["db:store"] }],
    [
      ["--dns", "1.1.1.1", "--dns-opt", "x", "--dns-search", "."],
      { Dns: ["1.1.1.1"], DnsOptions: ["x"], DnsSearch: ["."] },
    ],
    [["--add-host", "a=1.2.3.4", "--add-host", "b=[::1]"], { ExtraHosts: ["a:1.2.3.4", "b:::1"] }],
    [
      ["--health-cmd", "curl x", "--health-interval", "1m30s", "--health-retries", "3"],
      { Healthcheck: { Test: ["CMD-SHELL", "curl x"], Interval: 90e9, Retries: 3 } },
    ],
    [["--no-healthcheck"], { Healthcheck: { Test: ["NONE"] } }],
    [["--log-opt", "max-size=10m"], { LogConfig: { Type: "", Config: { "max-size": "10m" } } }],
    [["--security-opt", "no-new-privileges"], { SecurityOpt: ["no-new-privileges"] }],
    [["--security-opt", "systempaths=unconfined"], { MaskedPaths: [], ReadonlyPaths: [] }],
    [["--cap-add", "net_admin", "--cap-drop", "all"], { CapAdd: ["CAP_NET_ADMIN"], CapDrop: ["ALL"] }],
    [["--entrypoint", ""], { Entrypoint: [""] }],
    [["--stop-timeout", "0", "--stop-signal", "INT"], { StopTimeout: 0, StopSignal: "INT" }],
    [["-u", "1:2", "-w", "/x", "-h", "host"], { User: "1:2", WorkingDir: "/x", Hostname: "host" }],
    [["--init=false"], { Init: false }],
    [["--privileged", "--read-only"], { Privileged: true, ReadonlyRootfs: true }],
    [["--pid", "host", "--ipc", "container:x"], { PidMode: "host", IpcMode: "container:x" }],
    [["--sysctl", "net.ipv4.ip_forward=1"], { Sysctls: { "net.ipv4.ip_forward": "1" } }],
    [["--device-read-bps", "/dev/sda:1mb"], { BlkioDeviceReadBps: [{ Path: "/dev/sda", Rate: 1 << 20 }] }],
    [["--gpus", "all"], { DeviceRequests: [gpus(-1, null, [["gpu"]])] }],
    [["--gpus", '"device=0,1"'], { DeviceRequests: [gpus(0, ["0", "1"], [["gpu"]])] }],
  ])("for %p", (words, fields) => {
    expect(added(words)).toEqual(fields as never);
  });

  test("has the words behind the image as command, flags included", () => {
    const { flags, words } = parseFlags(CREATE_FLAGS, ["img", "ls", "-la"], { stopsAtWord: true });
    expect(createBody(flags, words, { env: {}, folder: "/" })).toMatchObject({
      Image: "img",
      Cmd: ["ls", "-la"],
    });
  });

  test("of a detached container attaches nothing", () => {
    expect(withoutStreams(body(["-it"]))).toMatchObject({
      AttachStdin: false,
      AttachStdout: false,
      StdinOnce: false,
      OpenStdin: true,
    });
  });

  test.each([
    [["--rm", "--restart", "always"], "conflicting options: cannot specify both --restart and --rm"],
    [["--restart", "on-failure:x"], "invalid restart policy format: maximum retry count must be an integer"],
    [["--no-healthcheck", "--health-cmd", "x"], "--no-healthcheck conflicts with --health-* options"],
    [["--health-retries", "-1"], "--health-retries cannot be negative"],
    [["--security-opt", "foo"], 'Invalid --security-opt: "foo"'],
    [
      ["--security-opt", "seccomp=/nope"],
      "opening seccomp profile (/nope) failed: open /nope: no such file or directory",
    ],
    [["--log-driver", "none", "--log-opt", "a=b"], "invalid logging opts for driver none"],
    [["--storage-opt", "a"], "invalid storage option"],
    [["--memory-swappiness", "200"], "invalid value: 200. Valid memory swappiness range is 0-100"],
    [["--pid", "foo"], "--pid: invalid PID mode"],
    [["--uts", "foo"], "--uts: invalid UTS mode"],
    [["--mac-address", "x"], "x is not a valid mac address"],
    [["--network-alias", "x"], "network-scoped aliases are only supported for user-defined networks"],
    [
      ["--network", "name=host,alias=x"],
      "network-scoped aliases are only supported for user-defined networks",
    ],
    [["--network", "name=a,alias=x", "--network-alias", "y"], "both --network-alias and per-network alias"],
    [["--network", "name=a,ip=10.0.0.5", "--ip", "10.0.0.5"], "both --ip and per-network IPv4 address"],
    [["--network", "name=a,ip6=fd00::5", "--ip6", "fd00::6"], "both --ip6 and per-network IPv6 address"],
    [
      ["--network", "name=a,mac-address=02:42:0a:00:00:05", "--mac-address", "02:42:0a:00:00:05"],
      "both --mac-address and per-network MAC address",
    ],
    [
      ["--network", "name=a,link-local-ip=fe80::5", "--link-local-ip", "fe80::6"],
      "both --link-local-ip and per-network link-local IP addresses",
    ],
    [["--network", "a", "--network", "name=a,alias=x"], 'network "a" is specified multiple times'],
    [["--network", ""], "no name set for network"],
    [["--network", "name=a,mac-address=zz"], "zz is not a valid mac address"],
    [
      ["--network", "a", "--network", "host"],
      "cannot attach both user-defined and non-user-defined network-modes",
    ],
    [["--env-file", "/nope"], "open /nope: no such file or directory"],
  ])("refuses %p", (words, message) => {
    expect(() => body(words)).toThrow(message);
  });

  test.each([
    [["--network", "alias=x"], 'for "--network" flag: network name/id is not specified'],
    [["--network", "name=a,colour=red"], "invalid field key colour"],
    [["--network", "name=a,red"], "invalid field red"],
    [["--network", "name=a,driver-opt=x"], "invalid key value pair format in driver options"],
    [["--network", "name=a,gw-priority=x"], "invalid gw-priority (x): invalid syntax"],
    [["--net", "name=a,ip=ten"], 'ParseAddr("ten"): unable to parse IP'],
    [["--ip", "ten"], 'for "--ip" flag: failed to parse IP: "ten"'],
    [["--memory", "abc"], `invalid argument "abc" for "-m, --memory" flag: invalid size: 'abc'`],
    [
      ["-a", "foo"],
      `invalid argument "foo" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR`,
    ],
    [["--dns", "a"], `invalid argument "a" for "--dns" flag: IP address is not correctly formatted: a`],
    [["--add-host", "a"], `invalid argument "a" for "--add-host" flag: bad format for add-host: "a"`],
    [["--sysctl", "a"], `invalid argument "a" for "--sysctl" flag: sysctl 'a' is not allowed`],
    [["--cpus", "x"], `invalid argument "x" for "--cpus" flag: failed to parse x as a rational number`],
    [["--ulimit", "nofile=5:3"], "soft limit must be less than or equal to hard limit: 5 > 3"],
    [["--ulimit", "foo=5"], "invalid ulimit type: foo"],
    [["--health-interval", "1"], 'time: missing unit in duration "1"'],
    [
      ["--device-read-iops", "/dev/sda:1k"],
      "The correct format is <device-path>:<number>. Number must be a positive integer",
    ],
    [["--mount", "type=bind,foo=bar,dst=/x"], "unexpected key 'foo' in 'foo=bar'"],
    [["--env", "=x"], "invalid environment variable: =x"],
    [["--gpus", "foo=bar"], "unexpected key 'foo' in 'foo=bar'"],
  ])("%p is wrong as a flag already", (words, message) => {
    expect(() => body(words)).toThrow(message);
  });
});

describe("files", () => {
  test("of variables: comments, names alone, carriage returns; --env comes last", async () => {
    await using folder = await scratch();
    const path = `${folder.path}/env`;
    await Bun.write(path, "\uFEFF# c\r\nA=from file\r\n\r\nHOME\nNOWHERE\n  B= x\n");
    const { Env } = body(["--env-file", path, "-e", "A=later", "-e", "HOME", "-e", "NOWHERE"], {
      HOME: "/root",
    });
    expect(Env).toEqual(["A=from file", "HOME=/root", "B= x", "A=later", "HOME=/root", "NOWHERE"]);
  });

  test.each([
    ["A B=c\n", "line 1: variable 'A B' contains whitespaces"],
    ["A=b\n=c\n", "line 2: no variable name on line '=c'"],
    ["A=\0\n", "it contains a NUL character"],
  ])("of variables with %p are refused, by name and line", async (text, message) => {
    await using folder = await scratch();
    const path = `${folder.path}/env`;
    await Bun.write(path, text);
    expect(() => body(["--env-file", path])).toThrow(`invalid env file (${path}): ${message}`);
  });

  test("of seccomp profiles travel inside the request", async () => {
    await using folder = await scratch();
    const path = `${folder.path}/profile.json`;
    await Bun.write(path, '{ "defaultAction": "SCMP_ACT_ALLOW" }');
    expect(added(["--security-opt", `seccomp=${path}`]).SecurityOpt).toEqual([
      'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',
    ]);
  });

  test("of labels come before labels", async () => {
    await using folder = await scratch();
    await Bun.write(`${folder.path}/labels`, "a=file\nb=file\n");
    expect(added(["--label-file", `${folder.path}/labels`, "-l", "a=word"]).Labels).toEqual({
      a: "word",
      b: "file",
    });
  });
});

function limit(Name: string, Soft: number, Hard: number) {
  return { Name, Soft, Hard };
}

function device(PathOnHost: string, PathInContainer: string, CgroupPermissions: string) {
  return { PathOnHost, PathInContainer, CgroupPermissions };
}

function endpoints(EndpointsConfig: Record<string, unknown>) {
  return { NetworkingConfig: { EndpointsConfig } };
}

function gpus(Count: number, DeviceIDs: string[] | null, Capabilities: string[][]) {
  return { Driver: "", Count, DeviceIDs, Capabilities, Options: {} };
}
