import { readFileSync } from "node:fs";
import { replaceProcess } from "#host";

/** Switches of Bun itself: a program that runs as root takes orders from none of them. Source: Bun, "Environment variables". */
const SWITCHES = /^(BUN_|NODE_OPTIONS$)/;
/** But for this: nothing looks after memory once a second while nothing happens. The daemon does when it has become quiet. */
const OWN: Readonly<Record<string, string>> = { BUN_GC_TIMER_DISABLE: "1" };

/**
 * Starts the program anew in the environment it is to have, in this process's place: what is in it has taken effect
 * before its first line ran. Where the program's file is not there any more it goes on without what is only better.
 */
export function settleEnvironment(command: readonly string[]): void {
  const wanted = settled(variables());
  if (wanted === undefined) return;
  try {
    replaceProcess(command, wanted);
  } catch (thrown) {
    if (Object.keys(process.env).some((name) => SWITCHES.test(name))) throw thrown;
  }
}

/** As bytes, each a character: what is no UTF-8 stays as it is. Source: proc(5), /proc/pid/environ. */
function variables(): Readonly<Record<string, string>> {
  const texts = readFileSync("/proc/self/environ", "latin1").split("\0");
  return Object.fromEntries(
    texts.flatMap((text) => {
      const end = text.indexOf("=");
      return end > 0 ? [[text.slice(0, end), text.slice(end + 1)]] : [];
    }),
  );
}

/** Undefined for an environment that is as it is to be. */
export function settled(
  environment: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | undefined {
  const switches = Object.keys(environment).filter((name) => SWITCHES.test(name));
  const isSo = switches.every((name) => environment[name] === OWN[name]);
  if (isSo && switches.length === Object.keys(OWN).length) return undefined;
  const kept = Object.entries(environment).filter(([name]) => !SWITCHES.test(name));
  return { ...Object.fromEntries(kept), ...OWN };
}
