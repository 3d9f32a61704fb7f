import { Fault } from "#errors";
import { CommandFailure, USAGE_EXIT } from "./command.ts";

const NOT_FOUND_EXIT = 127;
const NOT_EXECUTABLE_EXIT = 126;

/** The exit code for a container that did not start, by the daemon's sentence. Source: docker run reference, "exit status". */
export function startExitCode(message: string): number {
  if (/executable file not found|no such file or directory|system cannot find the file/.test(message))
    return NOT_FOUND_EXIT;
  if (/permission denied|is a directory/.test(message)) return NOT_EXECUTABLE_EXIT;
  return USAGE_EXIT;
}

/** Turns a Fault of `act` into the failure that `run` and `create` report: code 125, and where to find help. */
export async function asRunFailure<T>(act: () => T | Promise<T>, exitCode = () => USAGE_EXIT): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (cause instanceof Fault) throw new CommandFailure(exitCode(), cause.message, { cause });
    throw cause;
  }
}

/** Where a stream that tells the exit code last has ended without it. */
export const BROKEN_OFF = "The connection to the daemon broke off: some of the output may be lost";
