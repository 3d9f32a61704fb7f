/**
 * Owns the order in which everything starts and stops, and is the only room that names concrete drivers.
 * Refuses to do any job itself.
 * Called by `main.ts` for `bunker daemon`, `bunker -d` and `bunker --daemon`, and for `bunker registry`.
 */
import { sentenceOf } from "#errors";
import { createLog, type Log, selfCommand } from "#host";
import { boot, type Daemon } from "./boot.ts";
import { readConfig } from "./config.ts";
import { settleEnvironment } from "./environment.ts";
import { daemonHelp, readFlags } from "./flags.ts";
import { notifySystemd } from "./notify.ts";
import { validate } from "./validate.ts";

export { runRegistry } from "./registry/index.ts";

/** Runs until SIGTERM or SIGINT. Throws before it listens, with a sentence, when it cannot. */
export async function runDaemon(words: readonly string[]): Promise<void> {
  const flags = readFlags(words);
  if (flags.wantsHelp) return void process.stdout.write(daemonHelp());
  const config = readConfig(words);
  if (flags.wantsValidation) {
    validate(config, process.env);
    return void process.stdout.write("configuration OK\n");
  }
  if (process.getuid?.() !== 0)
    throw new Error("Cannot start the daemon: containers need root; run it as root, for instance with sudo");
  settleEnvironment(selfCommand(["daemon", ...words]));
  process.umask(0o022);

  const stop = nextSignal();
  // Until there is something to reload.
  process.on("SIGHUP", () => undefined);
  const log = createLog(config["log-level"], { format: config["log-format"] });
  process.on("unhandledRejection", (thrown) => log("error", `Nobody handled: ${sentenceOf(thrown)}`));
  const daemon = await boot(config, log);
  for (const address of daemon.addresses) log("info", `Listening on ${address}`);
  notifySystemd("READY=1");
  process.on("SIGHUP", () => void reload(daemon, words, log));
  log("info", `Stopping after ${await stop}; containers ${daemon.keepsContainers() ? "go on" : "stop too"}`);
  notifySystemd("STOPPING=1");
  await daemon[Symbol.asyncDispose]();
  process.exit(0);
}

/** Flags and file anew; when they are bad, everything stays as it was. */
async function reload(daemon: Daemon, words: readonly string[], log: Log): Promise<void> {
  notifySystemd("RELOADING=1");
  try {
    await daemon.reload(readConfig(words));
  } catch (thrown) {
    log("error", `Cannot reload the configuration, all settings stay as they were: ${sentenceOf(thrown)}`);
  }
  notifySystemd("READY=1");
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  });
}
