import { Fault } from "#errors";
import { defineCli } from "../../command.ts";
import { defaultHost } from "../../connection.ts";
import { askedEndpoint } from "../../contexts/endpoint.ts";
import {
  type AskedEndpoint,
  type Context,
  ContextStore,
  checkContextName,
  DAEMON_ENDPOINT,
  DEFAULT_CONTEXT,
  storedEndpoint,
} from "../../contexts/store.ts";
import { tlsFromFlags } from "../../globals.ts";
import type { Session } from "../../session.ts";

const DESCRIPTION_FLAG = { kind: "text", hint: "string", about: "Description of the context" } as const;
const DAEMON_FLAG = {
  kind: "list",
  hint: "stringToString",
  about: "Set the daemon's endpoint: host=ADDRESS,ca=FILE,cert=FILE,key=FILE,skip-tls-verify=BOOL",
} as const;

/** `bunker context create`. */
export const contextCreate = defineCli({
  synopsis: "[OPTIONS] CONTEXT",
  about: "Create a context",
  example: "bunker context create lab --docker host=ssh://me@lab.example.org",
  flags: {
    description: DESCRIPTION_FLAG,
    docker: DAEMON_FLAG,
    from: { kind: "text", hint: "string", about: "Create context from a named context" },
  },
  words: { min: 1, max: 1 },
  async run({ flags, words: [name = ""], session }) {
    const store = new ContextStore(session.env);
    checkContextName(name);
    if (store.has(name)) throw new Fault("conflict", `context ${JSON.stringify(name)} already exists`);
    const from = flags.text("from");
    if (from !== "" && flags.has("docker"))
      throw new Fault("invalid", "cannot use --docker flag when --from is set");
    const usual = usualEndpoint(session);
    const base = from === "" || from === DEFAULT_CONTEXT ? undefined : store.read(from);
    const asked = endpointFor(store, { usual, from: base, texts: flags.list("docker") });
    const description = flags.optional("description");
    const metadata = {
      ...base?.Metadata,
      ...(description === undefined ? {} : { Description: description }),
    };
    store.write(contextOf(name, { metadata, asked }), asked.tls);
    session.say(name);
    session.complain(`Successfully created context ${JSON.stringify(name)}`);
    return 0;
  },
});

/** `bunker context update`. */
export const contextUpdate = defineCli({
  synopsis: "[OPTIONS] CONTEXT",
  about: "Update a context",
  example: "bunker context update lab --description 'the lab' --docker host=tcp://10.0.0.7:2376",
  flags: { description: DESCRIPTION_FLAG, docker: DAEMON_FLAG },
  words: { min: 1, max: 1 },
  async run({ flags, words: [name = ""], session }) {
    const store = new ContextStore(session.env);
    checkContextName(name);
    const context = store.read(name);
    const description = flags.optional("description");
    const metadata = {
      ...context.Metadata,
      ...(description === undefined ? {} : { Description: description }),
    };
    if (flags.has("docker")) {
      const asked = askedEndpoint(flags.list("docker"), { store, usual: usualEndpoint(session) });
      store.write(contextOf(name, { metadata, asked }), asked.tls);
    } else store.write({ ...context, Metadata: metadata });
    session.say(name);
    session.complain(`Successfully updated context ${JSON.stringify(name)}`);
    return 0;
  },
});

function endpointFor(
  store: ContextStore,
  { usual, from, texts }: { usual: AskedEndpoint; from: Context | undefined; texts: readonly string[] },
): AskedEndpoint {
  if (from !== undefined) return storedEndpoint(store, from.Name);
  return texts.length === 0 ? usual : askedEndpoint(texts, { store, usual });
}

/** What the context that is no file leads to: flags, environment, the usual socket. */
function usualEndpoint({ globals, env, program }: Session): AskedEndpoint {
  const tls = tlsFromFlags(globals, env);
  const bytes = (text: string | undefined) =>
    text === undefined ? undefined : new TextEncoder().encode(text);
  const files = Object.entries({ "ca.pem": tls?.ca, "cert.pem": tls?.cert, "key.pem": tls?.key }).flatMap(
    ([file, text]) => {
      const content = bytes(text);
      return content === undefined ? [] : [[file, content] as const];
    },
  );
  return {
    endpoint: {
      Host: defaultHost({ flags: globals, env, program }),
      SkipTLSVerify: tls?.isVerified === false,
    },
    tls: files.length === 0 ? {} : { [DAEMON_ENDPOINT]: Object.fromEntries(files) },
  };
}

const contextOf = (
  name: string,
  { metadata, asked }: { metadata: Context["Metadata"]; asked: AskedEndpoint },
): Context => ({ Name: name, Metadata: metadata, Endpoints: { [DAEMON_ENDPOINT]: asked.endpoint } });
