import { mkdir } from "node:fs/promises";
import { BUNKER, run, TestDaemon } from "../fixtures/daemon.ts";
import { goOn } from "./stopping.ts";

/** One engine in the race: its command line with whatever leads it to its own roots. */
export interface Contestant extends AsyncDisposable {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Pids of what idles when no container runs. */
  readonly idlePids: () => Promise<readonly number[]>;
  /** Of what stays beside each container. */
  readonly supervisorName: string;
  /** What to put before a command so that it runs in the network that the engine takes for the host's. */
  readonly inside: readonly string[];
}

/** Bunker's is in its environment, docker's among its words; podman has none. */
export function socketOf({ environment, command }: Contestant): string | undefined {
  const host = environment.BUNKER_HOST ?? command[command.indexOf("-H") + 1];
  return host?.startsWith("unix://") ? host.slice("unix://".length) : undefined;
}

/** Runs a client command of the engine; throws with its words when it fails, and when the race is to stop. */
export async function cli(engine: Contestant, ...args: string[]): Promise<string> {
  goOn();
  const { code, stdout, stderr } = await run([...engine.command, ...args], engine.environment);
  goOn();
  if (code !== 0) throw new Error(`${engine.name} ${args.join(" ")} ended with ${code}: ${stderr}`);
  return stdout.trim();
}

export async function bunker(
  registry: string,
  directory: string,
  { flags = [], inside = [] }: { flags?: readonly string[]; inside?: readonly string[] } = {},
): Promise<Contestant & { readonly daemon: TestDaemon }> {
  const daemon = await TestDaemon.start({
    prefix: inside,
    args: ["--registry-mirror", registry, "--log-level", "error", ...flags],
    comparesHost: false,
    directory,
    execRoot: `${directory}/run/bunker`,
  });
  return {
    name: "bunker",
    daemon,
    inside,
    command: [BUNKER],
    environment: { BUNKER_HOST: `unix://${daemon.socket}` },
    idlePids: async () => [daemon.pid],
    supervisorName: "bunker-launcher",
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

export async function docker(
  registry: string,
  root: string,
  { inside = [] }: { inside?: readonly string[] } = {},
): Promise<Contestant | undefined> {
  const [dockerd, client] = ["/usr/sbin/dockerd", "/usr/bin/docker"];
  if (!(await Bun.file(dockerd).exists()) || !(await Bun.file(client).exists())) return undefined;
  await mkdir(root, { recursive: true });
  const socket = `unix://${root}/docker.sock`;
  const flags = [
    "--data-root",
    `${root}/data`,
    "--exec-root",
    `${root}/run/docker`,
    "-p",
    `${root}/pid`,
    "--registry-mirror",
    registry,
  ];
  const log = Bun.file(`${root}/log`);
  const words = [...inside, dockerd, "-H", socket, ...flags];
  const daemon = Bun.spawn(words, { stdout: log, stderr: log, stdin: "ignore" });
  const engine: Contestant = {
    name: "docker",
    inside,
    command: [client, "-H", socket],
    environment: {},
    idlePids: async () => [daemon.pid, ...(await childrenOf(daemon.pid))],
    supervisorName: "containerd-shim",
    [Symbol.asyncDispose]: async () => {
      daemon.kill("SIGTERM");
      await daemon.exited;
    },
  };
  for (let tries = 0; tries < 300; tries++) {
    if ((await run([...engine.command, "version"])).code === 0) return engine;
    if (daemon.exitCode !== null) break;
    await Bun.sleep(100);
  }
  process.stderr.write(
    `bench: dockerd does not start here and is left out: ${(await log.text()).slice(-500)}\n`,
  );
  await engine[Symbol.asyncDispose]();
  return undefined;
}

export async function podman(root: string): Promise<Contestant | undefined> {
  const path = Bun.which("podman");
  if (path === null) return undefined;
  // Where root may not raise limits, podman's own default for open files ends every start.
  await Bun.write(
    `${root}/containers.conf`,
    '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n',
  );
  const flags = [
    "--root",
    `${root}/data`,
    "--runroot",
    `${root}/run/podman`,
    "--cgroup-manager",
    "cgroupfs",
    "--events-backend",
    "none",
  ];
  return {
    name: "podman",
    inside: [],
    command: [path, ...flags],
    environment: { CONTAINERS_CONF: `${root}/containers.conf` },
    idlePids: async () => [],
    supervisorName: "conmon",
    [Symbol.asyncDispose]: async () => {
      await run([path, ...flags, "rm", "-f", "--all"]);
      await run(["umount", `${root}/data/overlay`]);
    },
  };
}

async function childrenOf(pid: number): Promise<number[]> {
  const children = (
    await Bun.file(`/proc/${pid}/task/${pid}/children`)
      .text()
      .catch(() => "")
  ).trim();
  return children === "" ? [] : children.split(" ").map(Number);
}
