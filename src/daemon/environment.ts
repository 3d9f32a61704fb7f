/** Bun's own switches: a program that runs as root takes orders from none of them. Source: Bun, "Environment variables". */
const SWITCHES = /^(BUN_|NODE_OPTIONS$|NODE_EXTRA_CA_CERTS$|LD_PRELOAD$|LD_LIBRARY_PATH$|LD_AUDIT$)/;

/**
 * Starts the program anew without them, and ends with its code, if any was set: some have taken effect before
 * the first line of this program ran. Returns when there is nothing to shed.
 */
export async function shedEnvironment(command: readonly string[]): Promise<void> {
  const tainted = Object.keys(process.env).filter((name) => SWITCHES.test(name));
  if (tainted.length === 0) return;
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !SWITCHES.test(name)));
  const child = Bun.spawn([...command], { env: clean, stdio: ["inherit", "inherit", "inherit"] });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  process.exit(await child.exited);
}
