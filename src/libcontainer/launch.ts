import { Fault } from "#errors";
import type { NetlinkStep } from "#oci";
import { launcherPath, renewLauncher } from "./executable.ts";
import { launchFault, netlinkFault } from "./launch-fault.ts";
import type { Plan } from "./plan.ts";
import {
  decodeReport,
  encodeNetlink,
  encodePlan,
  type LaunchSettings,
  REPORT_BYTES,
  type Report,
} from "./wire.ts";

/** A program that waits just before its exec. Disposing it undoes everything; after `start` it does nothing. */
export interface Launched extends AsyncDisposable {
  readonly pid: number;
  readonly startTicks: string;
  readonly supervisorPid: number;
  /** Settles when the exec has happened. Throws a Fault with Docker's words when it failed. */
  start(): Promise<void>;
}

export interface LaunchOptions {
  /** What `ps` shows besides the launcher's name. */
  readonly label: string;
  /** Until the program is ready; afterwards the result is the caller's to dispose. */
  readonly signal?: AbortSignal;
}

type Child = Bun.Subprocess<"pipe", "pipe", "ignore">;

/** Starts the launcher, hands it the plan, and waits until the program is ready. Throws a Fault that names the step. */
export async function launch(
  work: { readonly settings: LaunchSettings; readonly plan: Plan },
  options: LaunchOptions,
): Promise<Launched> {
  const bytes = encodePlan(work.settings, work.plan);
  options.signal?.throwIfAborted();
  const session = new Session(work, options.label);
  const abort = () => session.undo();
  options.signal?.addEventListener("abort", abort, { once: true });
  try {
    session.send(bytes);
    await session.await("cloned");
    await session.await("ready");
    return session;
  } catch (thrown) {
    await session.undo();
    options.signal?.throwIfAborted();
    throw thrown;
  } finally {
    options.signal?.removeEventListener("abort", abort);
  }
}

function spawnLauncher(args: readonly string[]): Child {
  const spawn = (path: string) =>
    Bun.spawn([path, ...args], {
      argv0: "bunker-launcher",
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
      detached: true,
      cwd: "/",
      env: {},
    });
  try {
    return spawn(launcherPath());
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ETXTBSY") throw thrown;
    return spawn(renewLauncher());
  }
}

class Session implements Launched {
  pid = 0;
  startTicks = "";
  readonly #child: Child;
  readonly #plan: Plan;
  readonly #reports: ReportReader;
  #isStarted = false;

  constructor(work: { readonly settings: LaunchSettings; readonly plan: Plan }, label: string) {
    const mode = work.settings.target === undefined ? "supervise" : "exec";
    this.#plan = work.plan;
    this.#child = spawnLauncher([mode, label]);
    this.#child.unref();
    this.#reports = new ReportReader(this.#child.stdout);
  }

  get supervisorPid(): number {
    return this.#child.pid;
  }

  send(bytes: Uint8Array | string): void {
    this.#child.stdin.write(bytes);
    this.#child.stdin.flush();
  }

  async await(kind: "cloned" | "ready" | "running"): Promise<void> {
    const report = await this.#reports.next();
    if (report === undefined)
      throw new Fault(
        "internal",
        `Cannot start the program: the launcher ended without a reason, after ${kind}`,
      );
    if (report.kind === "failed") throw launchFault(report, this.#plan);
    this.pid = report.pid;
    this.startTicks = report.startTicks;
  }

  async start(): Promise<void> {
    if (this.#isStarted) throw new Fault("conflict", "Cannot start a program twice");
    this.#isStarted = true;
    this.send("g");
    try {
      await this.await("running");
    } catch (thrown) {
      await this.#child.exited;
      throw thrown;
    } finally {
      await this.#letGo();
    }
  }

  /** The launcher takes the end of its input as the order to undo everything. */
  async undo(): Promise<void> {
    if (this.#isStarted) return;
    await this.#letGo();
    await this.#child.exited;
  }

  async #letGo(): Promise<void> {
    await this.#child.stdin.end();
    await this.#reports.cancel();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.undo();
  }
}

const readerOf = (stream: Child["stdout"]) => stream.getReader();

/** Cuts the launcher's output into reports. */
class ReportReader {
  readonly #reader: ReturnType<typeof readerOf>;
  #held = Buffer.alloc(0);

  constructor(stream: Child["stdout"]) {
    this.#reader = readerOf(stream);
  }

  /** Undefined when the launcher has ended. */
  async next(): Promise<Report | undefined> {
    while (this.#held.length < REPORT_BYTES) {
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      this.#held = Buffer.concat([this.#held, value]);
    }
    const report = decodeReport(this.#held.subarray(0, REPORT_BYTES));
    this.#held = this.#held.subarray(REPORT_BYTES);
    return report;
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }
}

/** Sends netlink messages outside any launch. Throws a Fault that says which could not be carried out. */
export async function sendNetlink(steps: readonly NetlinkStep[]): Promise<void> {
  const child = Bun.spawn([launcherPath(), "netlink"], {
    stdin: encodeNetlink(steps),
    stdout: "pipe",
    stderr: "ignore",
    env: {},
  });
  const report = decodeReport(await child.stdout.bytes());
  // Without settings at its head, the steps count from the first.
  if (report.kind === "failed") throw netlinkFault({ ...report, step: report.step + 1 }, steps);
}
