import { replaceProcess } from "#host";

/** Switches of Bun itself: a program that runs as root takes orders from none of them. Source: Bun, "Environment variables". */
const SWITCHES = /^(BUN_|NODE_OPTIONS$)/;

/** Starts the program anew without them, in this process's place: some have taken effect before its first line ran. */
export function shedEnvironment(command: readonly string[]): void {
  const entries = Object.entries(process.env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  const kept = entries.filter(([name]) => !SWITCHES.test(name));
  if (kept.length < entries.length) replaceProcess(command, Object.fromEntries(kept));
}
