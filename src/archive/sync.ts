import { Fault } from "#errors";
import { selfCommand } from "#host";

/** Resolves when everything on the directory's file system has reached the disk. */
export async function sync(directory: string, signal: AbortSignal): Promise<void> {
  const child = Bun.spawn(selfCommand(["internal:archive", "sync", directory]), {
    stdio: ["ignore", "ignore", "ignore"],
    env: {},
    signal,
  });
  if ((await child.exited) !== 0) throw new Fault("internal", `Cannot write ${directory} to disk`);
}
