import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { CREATE_FLAGS } from "../../../src/cli/create/flags.ts";
import { expectLiving, type Living } from "./rows.ts";

/** The flags of docker run and create, where their list lies beside the project. */
const LIST = resolve(import.meta.dir, "../../../../shared/surface/run-flags.tsv");

const inside = (flag: string): Living => ["test/system/run-flags-inside.test.ts", `flag: "${flag}"`];
const life = (...titles: string[]): Living => ["test/system/run-flags-life.test.ts", ...titles];
/** Read in the container's own group, under cgroup v1 on this machine and v2 in the virtual one. */
const limit = (flag: string): Living => ["test/system/host/run-flags.test.ts", flag];
const health = life("--health-*: every one of them counts");

/** Each flag that must be there, and the test in which its effect is seen from inside a container, or in its group. */
const FLAGS: Readonly<Record<string, Living>> = {
  "add-host": inside("--add-host"),
  annotation: life("--label-file and --annotation"),
  attach: life("--attach leaves the other stream alone"),
  "blkio-weight": limit('flag: "--blkio-weight"'),
  "cap-add": inside("--cap-add"),
  "cap-drop": inside("--cap-drop"),
  "cgroup-parent": inside("--cgroup-parent"),
  cgroupns: inside("--cgroupns"),
  cidfile: life("--cidfile"),
  "cpu-period": limit('limit("cpu-period"'),
  "cpu-quota": limit('limit("cpu-quota"'),
  "cpu-shares": limit('limit("cpu-shares"'),
  cpus: limit('limit("cpus"'),
  "cpuset-cpus": limit('limit("cpuset-cpus"'),
  "cpuset-mems": limit('limit("cpuset-mems"'),
  detach: life("--detach, --name"),
  "detach-keys": life("--detach-keys leave a container behind"),
  device: inside("--device"),
  "device-cgroup-rule": inside("--device-cgroup-rule"),
  "device-read-bps": limit('rate("device-read-bps"'),
  "device-read-iops": limit('rate("device-read-iops"'),
  "device-write-bps": limit('rate("device-write-bps"'),
  "device-write-iops": limit('rate("device-write-iops"'),
  dns: inside("--dns"),
  "dns-option": inside("--dns-option"),
  "dns-search": inside("--dns-search"),
  domainname: inside("--domainname"),
  entrypoint: ["test/system/run-flags-inside.test.ts", "--entrypoint takes the place of the image's"],
  env: inside("--env"),
  "env-file": inside("--env-file"),
  expose: life("--publish, --expose and --publish-all are seen"),
  gpus: ["test/system/devices-cdi.test.ts", "--gpus"],
  "group-add": inside("--group-add"),
  "health-cmd": health,
  "health-interval": health,
  "health-retries": health,
  "health-start-interval": health,
  "health-start-period": health,
  "health-timeout": health,
  help: ["test/unit/cli/help.test.ts", "--help"],
  hostname: inside("--hostname"),
  init: inside("--init"),
  interactive: life("--interactive hands input on"),
  ip: life('flag: "--ip"'),
  ip6: life('flag: "--ip6"'),
  ipc: inside("--ipc"),
  label: life("--label, --label-file"),
  "label-file": life("--label, --label-file"),
  link: life('flag: "--link"'),
  "log-driver": life("--log-driver none keeps nothing"),
  "log-opt": life("--log-opt bounds what is kept"),
  "mac-address": inside("--mac-address"),
  memory: limit('limit("memory"'),
  "memory-reservation": limit('limit("memory-reservation"'),
  "memory-swap": limit('limit("memory-swap"'),
  mount: inside("--mount"),
  name: life("--detach, --name"),
  network: life('flag: "--network"'),
  "network-alias": life('flag: "--network-alias"'),
  "no-healthcheck": ["test/system/health-clients.test.ts", "--no-healthcheck"],
  "oom-score-adj": inside("--oom-score-adj"),
  pid: inside("--pid"),
  "pids-limit": limit('limit("pids-limit"'),
  platform: life("--platform asks for another image"),
  privileged: inside("--privileged"),
  publish: life("--publish, --expose and --publish-all are seen"),
  "publish-all": life("--publish, --expose and --publish-all are seen"),
  pull: life("--pull and --quiet"),
  quiet: life("--pull and --quiet"),
  "read-only": inside("--read-only"),
  restart: life("--restart and --rm"),
  rm: life("--restart and --rm"),
  runtime: ["test/unit/jobs/runtime.test.ts", "there is native"],
  "security-opt": inside("--security-opt"),
  "shm-size": inside("--shm-size"),
  "sig-proxy": life("--sig-proxy hands signals on"),
  "stop-signal": ["test/system/health-clients.test.ts", "--init, --stop-signal and --stop-timeout"],
  "stop-timeout": ["test/system/health-clients.test.ts", "--init, --stop-signal and --stop-timeout"],
  sysctl: inside("--sysctl"),
  tmpfs: inside("--tmpfs"),
  tty: inside("--tty"),
  ulimit: inside("--ulimit"),
  user: inside("--user"),
  userns: inside("--userns"),
  uts: inside("--uts"),
  volume: inside("--volume"),
  "volumes-from": life("--volumes-from takes over"),
  workdir: inside("--workdir"),
  "dns-opt": ["test/system/run-flags-inside.test.ts", '"--dns-opt", "rotate"'],
  net: inside("--net"),
  "net-alias": life('"--net-alias",'),
};

/** What only the API can say. */
const FIELDS: Readonly<Record<string, Living>> = {
  "HostConfig.Cgroup": life("Cgroup is refused"),
  "HostConfig.ConsoleSize": life("ConsoleSize is the terminal's size"),
  "HostConfig.ContainerIDFile": life("{{.HostConfig.ContainerIDFile}}"),
  ArgsEscaped: life("OnBuild, Shell and ArgsEscaped are kept"),
  Cmd: life("Image and Cmd are what is run"),
  Image: life("Image and Cmd are what is run"),
  NetworkDisabled: life("NetworkDisabled leaves the loopback alone"),
  OnBuild: life("OnBuild, Shell and ArgsEscaped are kept"),
  Shell: life("and the shell is the container's"),
};

/** Of `run` itself. */
const RUN_ONLY = ["detach", "detach-keys", "help", "sig-proxy"];

describe("flags of run and create", () => {
  test.each(Object.entries({ ...FLAGS, ...FIELDS }))("%s is tested", (_name, living) => expectLiving(living));

  test("each of them is a flag of create, or of run alone", () => {
    const known: readonly string[] = [...Object.keys(CREATE_FLAGS), ...RUN_ONLY];
    expect(Object.keys(FLAGS).filter((flag) => !known.includes(flag))).toEqual([]);
  });

  const isListed = existsSync(LIST);
  test.skipIf(!isListed)(
    `every one that must be there has a row${isListed ? "" : " (skipped: the list is not beside the project)"}`,
    () => {
      const rows = readFileSync(LIST, "utf8").trimEnd().split("\n").slice(1);
      const wanted = rows.flatMap((line) => {
        const [flag = "", , , , , priority = "", field = ""] = line.split("\t");
        return /^[AB]$/.test(priority) ? [flag === "(none)" ? field : flag] : [];
      });
      expect(wanted.length).toBeGreaterThan(80);
      expect([...Object.keys(FLAGS), ...Object.keys(FIELDS)].sort()).toEqual(wanted.sort());
    },
  );
});
