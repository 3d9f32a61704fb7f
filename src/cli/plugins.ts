import { Fault, sentenceOf } from "#errors";
import { configFolder } from "./config-file.ts";
import { DEFAULT_CONTEXT } from "./contexts/store.ts";
import { fs } from "./lazy-fs.ts";
import type { Session } from "./session.ts";

/** Where docker's client looks for plugins, after the user's own folder. Source: docker docs, "CLI plugins". */
const FOLDERS = [
  "/usr/local/lib/docker/cli-plugins",
  "/usr/local/libexec/docker/cli-plugins",
  "/usr/lib/docker/cli-plugins",
  "/usr/libexec/docker/cli-plugins",
];
const NAME = /^[a-z][a-z0-9]*$/;
/** Plugins look at it to learn how they were called. */
const ORIGINAL_COMMAND = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND";

/** Every folder in which plugins may lie, the first that has one wins. */
export function pluginFolders({ env, config }: Session): string[] {
  const more = config.list("cliPluginsExtraDirs").filter((folder) => folder.startsWith("/"));
  return [...more, `${configFolder(env)}/cli-plugins`, ...FOLDERS];
}

/** The program of docker's plugin for this command, as `docker-compose` for `compose`. */
export function findPlugin(session: Session, name: string): string | undefined {
  if (!NAME.test(name)) return undefined;
  return pluginFolders(session)
    .map((folder) => `${folder}/docker-${name}`)
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    const { X_OK } = fs().constants;
    fs().accessSync(path, X_OK);
    return fs().statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Runs a plugin with the words that were typed, flags before the command too, and ends as it ends.
 * @throws Fault `internal` when it cannot be started
 */
export async function runPlugin(session: Session, path: string, words: readonly string[]): Promise<number> {
  try {
    const child = Bun.spawn([path, ...words], {
      env: pluginEnvironment(session),
      stdio: ["inherit", "inherit", "inherit"],
    });
    // What a person types reaches the plugin by itself: it belongs to the same terminal.
    using _ = signals({
      SIGINT: () => undefined,
      SIGQUIT: () => undefined,
      SIGTERM: () => child.kill("SIGTERM"),
    });
    const code = await child.exited;
    return code;
  } catch (cause) {
    throw new Fault("internal", `Cannot run the plugin ${path}: ${sentenceOf(cause)}`, { cause });
  }
}

/** Plugins know docker's variables alone: what this program found out by others, it says in those. */
function pluginEnvironment(session: Session): Record<string, string> {
  const { env, program, context } = session;
  const kept = Object.entries(env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return {
    ...Object.fromEntries(kept),
    ...(env.BUNKER_CONFIG ? { DOCKER_CONFIG: env.BUNKER_CONFIG } : {}),
    ...(context === DEFAULT_CONTEXT
      ? { DOCKER_HOST: session.daemon.address.text }
      : { DOCKER_CONTEXT: context }),
    [ORIGINAL_COMMAND]: program,
  };
}

function signals(handlers: Readonly<Partial<Record<NodeJS.Signals, () => void>>>): Disposable {
  const all = Object.entries(handlers) as [NodeJS.Signals, () => void][];
  for (const [signal, handler] of all) process.on(signal, handler);
  return {
    [Symbol.dispose]() {
      for (const [signal, handler] of all) process.off(signal, handler);
    },
  };
}
