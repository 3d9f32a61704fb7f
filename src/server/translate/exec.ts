import type { ExecCreateBody, ExecInspect } from "#api";
import type { ExecSpec, ExecView } from "#jobs";

type Size = { readonly rows: number; readonly columns: number };

/** Docker's `[height, width]`; zeros are "not known". */
export function toConsoleSize(size: readonly [number, number] | null | undefined): Size | undefined {
  const [rows = 0, columns = 0] = size ?? [];
  return rows > 0 && columns > 0 ? { rows, columns } : undefined;
}

export function toExecSpec(body: ExecCreateBody): ExecSpec {
  const consoleSize = toConsoleSize(body.ConsoleSize);
  return {
    args: body.Cmd ?? [],
    env: body.Env,
    user: body.User,
    workingDirectory: body.WorkingDir,
    tty: body.Tty,
    privileged: body.Privileged,
    attachStdin: body.AttachStdin,
    attachStdout: body.AttachStdout,
    attachStderr: body.AttachStderr,
    detachKeys: body.DetachKeys,
    ...(consoleSize !== undefined && { consoleSize }),
  };
}

/** GET /exec/{id}/json. */
export function toExecInspect({ id, containerId, spec, ...state }: ExecView): ExecInspect {
  const [entrypoint = "", ...words] = spec.args;
  return {
    ID: id,
    ContainerID: containerId,
    Running: state.isRunning,
    ExitCode: state.exitCode,
    ProcessConfig: {
      tty: spec.tty,
      entrypoint,
      arguments: words,
      privileged: spec.privileged,
      ...(spec.user !== "" && { user: spec.user }),
    },
    OpenStdin: spec.attachStdin,
    OpenStdout: spec.attachStdout,
    OpenStderr: spec.attachStderr,
    CanRemove: state.canRemove,
    DetachKeys: spec.detachKeys,
    Pid: state.pid,
  };
}
