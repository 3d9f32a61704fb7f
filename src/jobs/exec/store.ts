import { Fault } from "#errors";
import type { ExitRecord, RunningExec } from "#exec";
import type { ExecSpec, ExecView } from "../types.ts";

/** How many ended commands are remembered, of all containers together: some are asked for a command every few seconds. */
const REMEMBERED = 4096;

const NONE: readonly string[] = [];

/** One command run, or to be run, in a running container. */
interface ExecEntry {
  readonly id: string;
  readonly containerId: string;
  readonly spec: ExecSpec;
  state:
    | { readonly kind: "created" }
    | { readonly kind: "starting" }
    | { readonly kind: "running"; readonly process: RunningExec }
    | { readonly kind: "ended"; readonly pid: number; readonly exitCode: number };
}

/**
 * The commands of all containers, kept as long as their containers are; of those that have ended, the latest. They do
 * not outlive the daemon.
 */
export class Execs {
  readonly #entries = new Map<string, ExecEntry>();
  /** Ids by container, oldest first. A list is never written to: each change makes another. */
  readonly #ofContainers = new Map<string, readonly string[]>();
  /** Ids, the oldest end first; the first of them may have been forgotten with their containers. */
  readonly #ended: string[] = [];

  create(containerId: string, spec: ExecSpec): string {
    const id = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
    this.#entries.set(id, { id, containerId, spec, state: { kind: "created" } });
    this.#ofContainers.set(containerId, [...this.of(containerId), id]);
    return id;
  }

  view(id: string): ExecView {
    const { containerId, spec, state } = this.#find(id);
    return {
      id,
      containerId,
      spec,
      isRunning: state.kind === "running" || state.kind === "starting",
      exitCode: state.kind === "ended" ? state.exitCode : null,
      pid: state.kind === "running" ? state.process.pid : state.kind === "ended" ? state.pid : 0,
      canRemove: state.kind === "ended",
    };
  }

  /** Throws `conflict` unless it has never been started: each is run once. */
  begin(id: string): void {
    const entry = this.#find(id);
    if (entry.state.kind === "running" || entry.state.kind === "starting")
      throw new Fault("conflict", `Error: Exec command ${id} is already running`);
    if (entry.state.kind === "ended")
      throw new Fault("conflict", `Error: Exec command ${id} has already run`);
    entry.state = { kind: "starting" };
  }

  started(id: string, process: RunningExec): void {
    this.#find(id).state = { kind: "running", process };
  }

  ended(id: string, exit: Pick<ExitRecord, "code"> & { readonly pid?: number }): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.state = { kind: "ended", pid: exit.pid ?? 0, exitCode: exit.code };
    if (this.#ended.push(id) > REMEMBERED) this.#drop(this.#ended.shift() ?? "");
  }

  #drop(id: string): void {
    const containerId = this.#entries.get(id)?.containerId;
    if (containerId === undefined) return;
    this.#entries.delete(id);
    const left = this.of(containerId).filter((other) => other !== id);
    if (left.length > 0) this.#ofContainers.set(containerId, left);
    else this.#ofContainers.delete(containerId);
  }

  /** Throws `conflict` when it does not run. */
  running(id: string): RunningExec {
    const { state } = this.#find(id);
    if (state.kind === "running") return state.process;
    throw new Fault("conflict", `Exec command ${id} is not running`);
  }

  of(containerId: string): readonly string[] {
    return this.#ofContainers.get(containerId) ?? NONE;
  }

  forget(containerId: string): void {
    for (const id of this.of(containerId)) this.#entries.delete(id);
    this.#ofContainers.delete(containerId);
  }

  /** By full id or unique prefix. */
  #find(id: string): ExecEntry {
    const exact = this.#entries.get(id);
    if (exact !== undefined) return exact;
    const matches = id.length < 12 ? [] : [...this.#entries.values()].filter((one) => one.id.startsWith(id));
    const [only] = matches;
    if (only === undefined || matches.length > 1)
      throw new Fault("not_found", `No such exec instance: ${id.slice(0, 128)}`);
    return only;
  }
}
