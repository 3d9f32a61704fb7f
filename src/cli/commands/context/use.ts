import { defineCli } from "../../command.ts";
import { ContextStore, DEFAULT_CONTEXT } from "../../contexts/store.ts";
import type { Session } from "../../session.ts";

/** `bunker context use`. */
export const contextUse = defineCli({
  synopsis: "CONTEXT",
  about: "Set the current context",
  example: "bunker context use lab",
  flags: {},
  words: { min: 1, max: 1 },
  async run({ words: [name = ""], session }) {
    if (name !== DEFAULT_CONTEXT) new ContextStore(session.env).read(name);
    const wanted = name === DEFAULT_CONTEXT ? undefined : name;
    if ((session.config.text("currentContext") || undefined) !== wanted)
      session.config.set("currentContext", wanted);
    session.say(name);
    session.complain(`Current context is now ${JSON.stringify(name)}`);
    if (name !== DEFAULT_CONTEXT) warnOfHost(session, JSON.stringify(name));
    return 0;
  },
});

/** `bunker context show`. */
export const contextShow = defineCli({
  synopsis: "",
  about: "Print the name of the current context",
  example: "bunker context show",
  flags: {},
  words: { min: 0, max: 0 },
  async run({ session }) {
    session.say(session.context);
    return 0;
  },
});

/** Somebody who uses contexts may have forgotten that a variable of the environment is stronger. */
export function warnOfHost(session: Session, what = "a context"): void {
  const { env, globals } = session;
  const name = ["BUNKER_HOST", "DOCKER_HOST"].find((variable) => env[variable]);
  if (name === undefined || globals.has("context")) return;
  session.complain(
    `Warning: ${name} environment variable overrides the active context. To use ${what}, either set the global --context flag, or unset ${name} environment variable.`,
  );
}
