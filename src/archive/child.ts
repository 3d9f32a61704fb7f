import { z } from "zod";
import { Fault, type FaultKind } from "#errors";

const Failure = z.object({ kind: z.string(), message: z.string() });
const KINDS: readonly string[] = [
  "invalid",
  "denied",
  "not_found",
  "conflict",
  "unsupported",
  "unavailable",
  "cancelled",
  "internal",
];
/** How much of the child's error output is looked at. */
const KEPT_CHARACTERS = 4096;

/** A child lives for a second: the compiler that pays after seconds took a fifth of its processor time. */
export const QUICK_START = { BUN_JSC_useFTLJIT: "0" };

/** Kills the child when the signal says so, and at the latest when it is disposed. */
export function killer(child: Bun.Subprocess, signal: AbortSignal | undefined): Disposable {
  const watch = killedBy(signal, child);
  return {
    [Symbol.dispose]() {
      watch[Symbol.dispose]();
      child.kill("SIGKILL");
    },
  };
}

/** Kills the child when the signal says so, until it is disposed. */
export function killedBy(signal: AbortSignal | undefined, child: Bun.Subprocess): Disposable {
  const kill = () => child.kill("SIGKILL");
  signal?.addEventListener("abort", kill, { once: true });
  return { [Symbol.dispose]: () => signal?.removeEventListener("abort", kill) };
}

/** What a child of this room said on standard error when it failed. */
export function failureOf(child: Bun.Subprocess, stderr: string): Fault {
  const last = stderr.trim().split("\n").at(-1) ?? "";
  const parsed = Failure.safeParse(parseOrNothing(last.slice(0, KEPT_CHARACTERS)));
  if (!parsed.success) {
    const end = child.signalCode ?? `exit code ${child.exitCode}`;
    return new Fault("internal", `Cannot work on the archive: the child process ended with ${end}`);
  }
  const { kind, message } = parsed.data;
  return new Fault(KINDS.includes(kind) ? (kind as FaultKind) : "internal", message);
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
