import { replaceProcess } from "#host";

/** Switches of Bun itself: a program that runs as root takes orders from none of them. Source: Bun, "Environment variables". */
const SWITCHES = /^(BUN_|NODE_OPTIONS$)/;
/** But for this: nothing looks after memory once a second while nothing happens. The engine does when it has become quiet. */
const OWN: Readonly<Record<string, string>> = { BUN_GC_TIMER_DISABLE: "1" };

/**
 * Starts the program anew in the environment it is to have, in this process's place: what is in it has taken effect
 * before its first line ran. `inherited` are descriptors that go along.
 */
export function settleEnvironment(command: readonly string[], inherited: readonly number[]): void {
  const wanted = settled(process.env);
  if (wanted !== undefined) replaceProcess(command, wanted, inherited);
}

/** Undefined for an environment that is as it is to be. */
export function settled(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> | undefined {
  const switches = Object.keys(environment).filter((name) => SWITCHES.test(name));
  const isSo = switches.every((name) => environment[name] === OWN[name]);
  if (isSo && switches.length === Object.keys(OWN).length) return undefined;
  const kept = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined || SWITCHES.test(name) ? [] : [[name, value] as const],
  );
  return { ...Object.fromEntries(kept), ...OWN };
}
