import type { Socket } from "node:net";
import { type Container, type RunCheck, SIGKILL } from "#container";
import { Fault } from "#errors";
import type { PreparedExec, RunningContainer, RunningExec } from "#exec";
import type { Rooms } from "../rooms.ts";
import { announcer } from "./announce.ts";
import { CheckOutput } from "./check-output.ts";
import { type LinkNeeds, withLinks } from "./links.ts";
import { original } from "./original.ts";
import { execProcess } from "./runtime-spec.ts";

export type ProbeNeeds = LinkNeeds & {
  readonly events: Pick<Rooms["events"], "publish">;
  readonly settings: Pick<Rooms["settings"], "defaults">;
};

interface Probe {
  readonly container: Container;
  readonly process: Pick<RunningContainer, "exec">;
  readonly args: readonly string[];
  readonly output: CheckOutput;
  readonly signal: AbortSignal;
}

/** Runs checks in a container's process, as confined as any other command there. */
export function prober(needs: ProbeNeeds, process: Pick<RunningContainer, "exec">): RunCheck {
  return (container, args) => {
    const killing = new AbortController();
    const output = new CheckOutput();
    const { signal } = killing;
    return {
      ended: probe(needs, { container, process, args, output, signal }),
      said: () => output.text,
      kill: () => killing.abort(),
    };
  };
}

/** Returns the exit code once nothing of it is left. Throws why it could not be run. */
async function probe(needs: ProbeNeeds, request: Probe): Promise<number> {
  const { container, args } = request;
  const execId = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
  const announce = announcer(needs.events);
  announce(container, `exec_create: ${args.join(" ")}`, { execID: execId });
  announce(container, `exec_start: ${args.join(" ")}`, { execID: execId });
  try {
    if (args.length === 0) throw new Fault("invalid", "No exec command specified");
    const code = await run(needs, { ...request, execId });
    announce(container, "exec_die", { execID: execId, exitCode: String(code) });
    return code;
  } catch (thrown) {
    throw original(thrown);
  }
}

async function run(needs: ProbeNeeds, request: Probe & { readonly execId: string }): Promise<number> {
  const { container, process, args, output, signal, execId } = request;
  await using prepared = await process.exec({
    execId,
    process: execProcess(withLinks(needs, container), { ...PLAIN, args }, needs.settings.defaults),
    stdin: false,
    privileged: false,
    endsWhole: true,
    signal,
  });
  const { stream, heard } = await listen(prepared, output);
  using _ = { [Symbol.dispose]: () => void stream.destroy() };
  signal.throwIfAborted();
  const running = await prepared.start();
  const kill = killer(running);
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  const { code } = await running.exited;
  await heard;
  return code;
}

const PLAIN = {
  env: [],
  user: "",
  workingDirectory: "",
  tty: false,
  privileged: false,
  attachStdin: false,
  attachStdout: true,
  attachStderr: true,
  detachKeys: "",
};

/** A flood is cut off where it comes from: its supervisor throws away what nobody reads. */
async function listen(
  prepared: PreparedExec,
  output: CheckOutput,
): Promise<{ readonly stream: Socket; readonly heard: Promise<void> }> {
  const stream = await prepared.attach({ stdin: false, stdout: true, stderr: true });
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.on("data", (bytes: Uint8Array) => {
    if (!output.push(bytes)) stream.destroy();
  });
  stream.on("error", () => stream.destroy());
  stream.once("end", resolve);
  stream.once("close", resolve);
  return { stream, heard: promise };
}

/** That it has just ended by itself is no failure. */
function killer(running: RunningExec): () => void {
  return () => void running.signal(SIGKILL).catch(() => undefined);
}
