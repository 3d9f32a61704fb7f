import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { Fault } from "#errors";
import { findProgram, isAlive, tryRun } from "#host";
import { detectCgroups, groupPath, launcherPath, type Plan, type RuntimeSpec } from "#libcontainer";
import type { ExecDriverKind, ExecDriverOptions, ExecRequest, LaunchRequest, Verdict } from "../driver.ts";
import type { ContainerName, Maker, Verbs } from "../maker.ts";
import { probeHost } from "../native.ts";
import { SupervisedDriver } from "../supervised.ts";
import { loggedError, runtimeFault } from "./fault.ts";
import {
  commandPlan,
  containerPlan,
  execLog,
  execProcess,
  LOG_NAME,
  type PlanContext,
  type RuntimeCommand,
  runtimeWords,
} from "./plan.ts";

export type { RuntimeCommand } from "./plan.ts";

/** A command of a runtime that takes longer than this is given up. */
const COMMAND_MILLISECONDS = 30_000;

/** Containers made by a program that obeys the OCI runtime's command line, each with a supervisor of bunker's. */
export function ociKind(name: string, command: RuntimeCommand): ExecDriverKind {
  return {
    name,
    probe: () => probe(command),
    open: async (options) => {
      launcherPath(options.stateDirectory);
      remember(ociDirectory(options, name), command);
      return new SupervisedDriver(ociDirectory(options, name), new OciMaker(options, { name, command }));
    },
  };
}

/** Each runtime's containers are in a folder of their own, so that one that is renamed touches nobody else's. */
export const ociDirectory = ({ stateDirectory }: Pick<ExecDriverOptions, "stateDirectory">, name: string) =>
  `${stateDirectory}/runtimes/${name}`;

const COMMAND_NAME = "command.json";
const Command = z.object({ path: z.string(), args: z.array(z.string()) });

/** For a daemon whose settings do not name the runtime any more, although containers of it are left. */
function remember(directory: string, command: RuntimeCommand): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(`${directory}/${COMMAND_NAME}`, JSON.stringify(command), { mode: 0o600 });
}

/** Runtimes that have been used since the host's boot. */
export function usedRuntimes(
  options: Pick<ExecDriverOptions, "stateDirectory">,
): Record<string, RuntimeCommand> {
  const known: Record<string, RuntimeCommand> = {};
  if (!existsSync(ociDirectory(options, ""))) return known;
  for (const path of new Bun.Glob(`*/${COMMAND_NAME}`).scanSync({
    cwd: ociDirectory(options, ""),
    dot: true,
  })) {
    const name = path.slice(0, path.indexOf("/"));
    try {
      known[name] = Command.parse(
        JSON.parse(readFileSync(`${ociDirectory(options, name)}/${COMMAND_NAME}`, "utf8")),
      );
    } catch {
      // Half written by a daemon that was killed: it had made nothing yet.
    }
  }
  return known;
}

async function probe({ path, args }: RuntimeCommand): Promise<Verdict> {
  const verdict = await probeHost();
  if (!verdict.usable) return verdict;
  if (findProgram(path) === undefined) return { usable: false, reason: `${path} is not installed` };
  const { code, stderr } = await tryRun([path, ...args, "--version"], {
    signal: AbortSignal.timeout(COMMAND_MILLISECONDS),
  });
  return code === 0
    ? { usable: true }
    : { usable: false, reason: `${path} --version ended with ${code}: ${stderr.trim().slice(0, 200)}` };
}

class OciMaker implements Maker {
  readonly name: string;
  readonly cgroups = detectCgroups();
  readonly #cgroupParent: string;
  readonly #context: PlanContext;

  constructor(
    options: ExecDriverOptions,
    runtime: { readonly name: string; readonly command: RuntimeCommand },
  ) {
    this.name = runtime.name;
    this.#cgroupParent = options.cgroupParent;
    const { path, args } = runtime.command;
    this.#context = {
      name: runtime.name,
      command: { path: findProgram(path) ?? path, args },
      root: `${ociDirectory(options, runtime.name)}/state`,
      cgroups: this.cgroups,
    };
  }

  plan(request: LaunchRequest, directory: string): Plan {
    const { path } = this.#context.command;
    if (findProgram(path) === undefined)
      throw new Fault(
        "unavailable",
        `Cannot start the container with the runtime ${this.name}: ${path} is not an installed program`,
      );
    rmSync(`${directory}/${LOG_NAME}`, { force: true });
    mkdirSync(this.#context.root, { recursive: true, mode: 0o700 });
    return containerPlan(request, this.groupPath(request.spec), this.#context);
  }

  groupPath({ linux }: RuntimeSpec): string {
    return groupPath(linux.cgroupsPath, this.#cgroupParent);
  }

  verbs(container: ContainerName): Verbs {
    const { id, pid, startTicks } = container;
    return {
      signal: async (number) => {
        if (!isAlive(pid, startTicks)) return false;
        const { code, stderr } = await this.#run(["kill", id, String(number)]);
        if (code !== 0 && isAlive(pid, startTicks)) throw this.#refused(`send signal ${number} to`, stderr);
        return code === 0;
      },
      execPlan: (request: ExecRequest) => commandPlan(request, container, this.#context),
      pause: () => this.#must("pause", id),
      resume: () => this.#must("resume", id),
      isPaused: async () => /"status"\s*:\s*"paused"/.test((await this.#run(["state", id])).stdout),
    };
  }

  explain(thrown: unknown, directory: string, execId?: string): unknown {
    const log = execId === undefined ? LOG_NAME : execLog(execId);
    const words = loggedError(`${directory}/${log}`);
    return words === undefined ? thrown : runtimeFault(this.name, words);
  }

  tidy(directory: string, execId: string): void {
    for (const name of [execLog(execId), execProcess(execId)])
      rmSync(`${directory}/${name}`, { force: true });
  }

  async forsake(id: string): Promise<void> {
    await this.#run(["delete", "--force", id]).catch(() => {});
  }

  async #must(verb: "pause" | "resume", id: string): Promise<void> {
    const { code, stderr } = await this.#run([verb, id]);
    if (code !== 0) throw this.#refused(verb, stderr);
  }

  #refused(what: string, stderr: string): Fault {
    const words = stderr.trim().split("\n").at(-1) ?? "";
    return new Fault("internal", `Cannot ${what} the container with the runtime ${this.name}: ${words}`);
  }

  #run(words: readonly string[]) {
    return tryRun(runtimeWords(this.#context, words), { signal: AbortSignal.timeout(COMMAND_MILLISECONDS) });
  }
}
