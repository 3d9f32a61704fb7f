import { mkdir } from "node:fs/promises";
import { run, TestDaemon } from "../fixtures/daemon.ts";

/** One engine in the race: its command line with whatever leads it to its own roots. */
export interface Contestant extends AsyncDisposable {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Pids of what idles when no container runs. */
  readonly idlePids: () => Promise<readonly number[]>;
  /** Of what stays beside each container. */
  readonly supervisorName: string;
}

/** Bunker's is in its environment, docker's among its words; podman has none. */
export function socketOf({ environment, command }: Contestant): string | undefined {
  const host = environment.BUNKER_HOST ?? command[command.indexOf("-H") + 1];
  return host?.startsWith("unix://") ? host.slice("unix://".length) : undefined;
}

/** Runs a client command of the engine; throws with its words when it fails. */
export async function cli(engine: Contestant, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run([...engine.command, ...args], engine.environment);
  if (code !== 0) throw new Error(`${engine.name} ${args.join(" ")} ended with ${code}: ${stderr}`);
  return stdout.trim();
}

export async function bunker(
  registry: string,
  directory: string,
  flags: readonly string[] = [],
): Promise<Contestant & { readonly daemon: TestDaemon }> {
  const daemon = await TestDaemon.start({
    args: ["--registry-mirror", registry, "--log-level", "error", ...flags],
    comparesHost: false,
    directory,
  });
  return {
    name: "bunker",
    daemon,
    command: [daemon.command[0] ?? ""],
    environment: { BUNKER_HOST: `unix://${daemon.socket}` },
    idlePids: async () => [daemon.pid],
    supervisorName: "bunker-launcher",
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

export async function docker(registry: string, root: string): Promise<Contestant | undefined> {
  const [dockerd, client] = ["/usr/sbin/dockerd", "/usr/bin/docker"];
  if (!(await Bun.file(dockerd).exists()) || !(await Bun.file(client).exists())) return undefined;
  await mkdir(root, { recursive: true });
  const socket = `unix://${root}/docker.sock`;
  const flags = [
    "--data-root",
    `${root}/data`,
    "--exec-root",
    `${root}/exec`,
    "-p",
    `${root}/pid`,
    "--registry-mirror",
    registry,
  ];
  const log = Bun.file(`${root}/log`);
  const daemon = Bun.spawn([dockerd, "-H", socket, ...flags], { stdout: log, stderr: log, stdin: "ignore" });
  const engine: Contestant = {
    name: "docker",
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
    `${root}/run`,
    "--cgroup-manager",
    "cgroupfs",
    "--events-backend",
    "none",
  ];
  return {
    name: "podman",
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
