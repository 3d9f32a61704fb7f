import type { z } from "zod";

/**
 * What a running job tells whoever waits for it. `status` is a line or bar of Docker's JSON progress
 * stream (counts in bytes), `aux` a machine-readable result in the middle of it (digests, ids).
 */
export type Progress =
  | {
      readonly kind: "status";
      readonly status: string;
      readonly id?: string;
      readonly current?: number;
      readonly total?: number;
    }
  /** Printed as it is, its line end included. */
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "aux"; readonly aux: Readonly<Record<string, unknown>> };

/** The byte streams a job may read and write: the body of the request and of the reply. */
export interface JobStreams {
  readonly input?: ReadableStream<Uint8Array>;
}

export interface JobContext {
  readonly id: string;
  /** Aborted by `Engine.cancel` and by the caller's own signal. It cancels up to the commit, not beyond. */
  readonly signal: AbortSignal;
  /** Settings of this one call, as a process has its environment: registry credentials, API version. */
  readonly environment: Readonly<Record<string, string>>;
  readonly streams: JobStreams;
  report(progress: Progress): void;
  /** Names what the job is busy with, for `bunker jobs`. */
  phase(name: string): void;
}

export interface Job<Name extends string = string, Input = unknown, Output = unknown> {
  readonly name: Name;
  readonly input: z.ZodType<Input>;
  run(input: Input, context: JobContext): Promise<Output>;
}

/** A job of whatever input, as the engine keeps it: the input is parsed by the job's own schema before `run`. */
export interface AnyJob {
  readonly name: string;
  readonly input: z.ZodType;
  run(input: never, context: JobContext): Promise<unknown>;
}

export function defineJob<const Name extends string, Input, Output>(
  job: Job<Name, Input, Output>,
): Job<Name, Input, Output> {
  return job;
}
