import { Fault } from "#errors";
import { defineCli, FAILURE_EXIT } from "../../command.ts";
import { defaultHost } from "../../connection.ts";
import { type Context, ContextStore, DAEMON_ENDPOINT, DEFAULT_CONTEXT } from "../../contexts/store.ts";
import { tlsFromFlags } from "../../globals.ts";
import { renderTemplate } from "../../output/one.ts";
import type { Session } from "../../session.ts";

/** `bunker context inspect`. */
export const contextInspect = defineCli({
  synopsis: "[OPTIONS] [CONTEXT] [CONTEXT...]",
  about: "Display detailed information on one or more contexts",
  example: "bunker context inspect -f '{{.Endpoints.docker.Host}}' lab",
  flags: {
    format: {
      kind: "text",
      hint: "string",
      short: "f",
      about: "Format output using a custom template: 'json' or a Go template",
    },
  },
  words: { min: 0 },
  async run({ flags, words, session }) {
    const format = flags.text("format");
    const found: object[] = [];
    let failure: Fault | undefined;
    for (const name of words.length > 0 ? words : [session.context]) {
      try {
        found.push(look(session, name));
      } catch (thrown) {
        if (!(thrown instanceof Fault)) throw thrown;
        failure = thrown;
        break;
      }
    }
    if (format === "" || format === "json")
      session.say(JSON.stringify(found, null, format === "json" ? undefined : 4));
    else for (const context of found) session.say(renderTemplate(format, context));
    if (failure === undefined) return 0;
    session.complain(failure.message);
    return FAILURE_EXIT;
  },
});

/** The context as docker shows it: names of its TLS files, never what is in them. */
function look(session: Session, name: string): object {
  const store = new ContextStore(session.env);
  const isDefault = name === DEFAULT_CONTEXT;
  const context = isDefault ? defaultContext(session) : store.read(name);
  return {
    ...context,
    TLSMaterial: isDefault ? {} : store.tlsFiles(name),
    Storage: isDefault
      ? { MetadataPath: "<IN MEMORY>", TLSPath: "<IN MEMORY>" }
      : { MetadataPath: store.metaFolder(name), TLSPath: store.tlsFolder(name) },
  };
}

function defaultContext({ globals, env, program }: Session): Context {
  const isUnverified = tlsFromFlags(globals, env)?.isVerified === false;
  const endpoint = { Host: defaultHost({ flags: globals, env, program }), SkipTLSVerify: isUnverified };
  return { Name: DEFAULT_CONTEXT, Metadata: {}, Endpoints: { [DAEMON_ENDPOINT]: endpoint } };
}
