import type { Socket } from "node:net";
import type { ExitRecord } from "#exec";
import type { Ref } from "../shapes.ts";

export interface ExecView {
  readonly id: string;
  readonly containerId: string;
  readonly spec: ExecSpec;
  readonly isRunning: boolean;
  /** Null until it has ended. */
  readonly exitCode: number | null;
  readonly pid: number;
  readonly canRemove: boolean;
}

export interface ExecSpec {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly user: string;
  readonly workingDirectory: string;
  readonly tty: boolean;
  readonly privileged: boolean;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly detachKeys: string;
  readonly consoleSize?: { readonly rows: number; readonly columns: number };
}

export type ExecJobs = {
  readonly "exec.create": {
    readonly input: Ref & { readonly spec: ExecSpec };
    readonly output: { readonly id: string };
  };
  /** Without `attach` it runs by itself. */
  readonly "exec.start": {
    readonly input: {
      readonly id: string;
      readonly attach: boolean;
      readonly tty?: boolean;
      readonly consoleSize?: { readonly rows: number; readonly columns: number };
    };
    readonly output: {
      readonly tty: boolean;
      readonly stream?: Socket;
      /** Why an attached one could not be run, for the client's stream; `exited` then has its code. */
      readonly failure?: string;
      readonly exited: Promise<ExitRecord>;
    };
  };
  readonly "exec.inspect": { readonly input: { readonly id: string }; readonly output: ExecView };
  readonly "exec.resize": {
    readonly input: { readonly id: string; readonly rows: number; readonly columns: number };
    readonly output: Record<string, never>;
  };
};
