import type { Cgroups, Group, Plan, RuntimeSpec } from "#libcontainer";
import type { ExecRequest, LaunchRequest } from "./driver.ts";
import type { ProcessName } from "./state.ts";

/** A container's first process, as whoever made it calls it and as the host sees it. */
export interface ContainerName extends ProcessName {
  readonly id: string;
}

/** What can be done to a container that runs, by whoever made it. */
export interface Verbs {
  /** False when the first process has ended. */
  signal(number: number): Promise<boolean>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  isPaused(): Promise<boolean>;
  execPlan(request: ExecRequest): Plan;
}

/** What differs between the ways in which containers are made: everything else is the supervisor's. */
export interface Maker {
  readonly name: string;
  readonly cgroups: Cgroups;
  /** Throws `unsupported` for what this maker cannot make. `directory` is the container's own, for its run-time state. */
  plan(request: LaunchRequest, directory: string): Plan;
  groupPath(spec: RuntimeSpec): string;
  verbs(container: ContainerName, group: Group): Verbs;
  /** Why a launch failed, in better words where the maker has some. */
  explain(thrown: unknown, directory: string, execId?: string): unknown;
  /** Clears away what is left of a command once it runs, or could not. */
  tidy(directory: string, execId: string): void;
  /** Forgets a container whose supervisor could not. Never rejects. */
  forsake(id: string): Promise<void>;
}
