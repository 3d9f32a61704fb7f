import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { Fault } from "#errors";
import type { ExitRecord } from "./driver.ts";
import { parseExitRecord } from "./supervisor-socket.ts";

/** Names in a container's state directory, which is on tmpfs: what is there does not outlive the host's boot. */
export const SOCKET_NAME = "attach.sock";
export const PID_NAME = "pid";
export const EXIT_NAME = "exit";

export interface ProcessName {
  readonly pid: number;
  readonly startTicks: string;
}

/** What a supervisor wrote about itself: before it made anything, and again when its container was ready. */
export interface SupervisorRecord {
  readonly supervisor: ProcessName;
  /** Undefined until the container is ready. */
  readonly first: ProcessName | undefined;
  /** Directories of the groups that the supervisor made, or is about to make. */
  readonly groups: readonly string[];
}

export type ReadyRecord = SupervisorRecord & { readonly first: ProcessName };

export function isReady(record: SupervisorRecord | undefined): record is ReadyRecord {
  return record?.first !== undefined;
}

const ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** `<exec-root>/containers`, one directory for each container that has been started. */
export class StateDirectories {
  readonly #root: string;

  constructor(stateDirectory: string) {
    this.#root = `${stateDirectory}/containers`;
  }

  of(id: string): string {
    if (!ID.test(id)) throw new Fault("invalid", `Cannot use ${JSON.stringify(id)} as a container's id`);
    return `${this.#root}/${id}`;
  }

  /** An empty one, whatever an earlier run has left. */
  make(id: string): string {
    const directory = this.of(id);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of [EXIT_NAME, PID_NAME]) rmSync(`${directory}/${name}`, { force: true });
    return directory;
  }

  remove(id: string): void {
    rmSync(this.of(id), { recursive: true, force: true });
  }

  list(): readonly string[] {
    try {
      return readdirSync(this.#root);
    } catch {
      return [];
    }
  }
}

/** Undefined when nothing was begun, or all that was has ended in order. */
export function readSupervisor(directory: string): SupervisorRecord | undefined {
  const [head = "", ...groups] = tryRead(`${directory}/${PID_NAME}`).trimEnd().split("\n");
  const [, supervisor, supervisorTicks, pid, ticks] = /^(\d+) (\d+) (\d+) (\d+)$/.exec(head) ?? [];
  if (supervisorTicks === undefined || ticks === undefined) return undefined;
  return {
    supervisor: { pid: Number(supervisor), startTicks: supervisorTicks },
    first: pid === "0" ? undefined : { pid: Number(pid), startTicks: ticks },
    groups,
  };
}

export function readExit(directory: string): ExitRecord | undefined {
  return parseExitRecord(tryRead(`${directory}/${EXIT_NAME}`));
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
