import { parseAddress } from "#client";
import { didYouMean, Fault, sentenceOf } from "#errors";
import { csvFields } from "../create/values.ts";
import { fs } from "../lazy-fs.ts";
import {
  type AskedEndpoint,
  type ContextStore,
  DAEMON_ENDPOINT,
  DEFAULT_CONTEXT,
  storedEndpoint,
} from "./store.ts";

/** Keys of `--docker` that name a file, and what the file is called in the store. */
const FILES: Readonly<Record<string, string>> = { ca: "ca.pem", cert: "cert.pem", key: "key.pem" };
const KEYS = ["host", "from", "skip-tls-verify", ...Object.keys(FILES)];

/**
 * Reads `host=tcp://…,ca=FILE,cert=FILE,key=FILE,skip-tls-verify=true` or `from=CONTEXT`. Source: docker context create reference.
 * @throws Fault `invalid` that says which key and why
 */
export function askedEndpoint(
  texts: readonly string[],
  { store, usual }: { store: ContextStore /** Of the context that is no file. */; usual: AskedEndpoint },
): AskedEndpoint {
  const given = new Map(texts.flatMap(csvFields).map(pairOf));
  const from = given.get("from");
  if (from !== undefined) return from === DEFAULT_CONTEXT ? usual : storedEndpoint(store, from);
  const host = given.get("host") ?? "";
  const skip = booleanOf(given.get("skip-tls-verify") ?? "false");
  const files = Object.entries(FILES).flatMap(([key, name]) => {
    const path = given.get(key);
    return path === undefined ? [] : [[name, contentOf(path)] as const];
  });
  if (host !== "") parseAddress(host, files.length > 0); // Throws: better now than at first use.
  return {
    endpoint: { ...(host === "" ? {} : { Host: host }), SkipTLSVerify: skip },
    tls: files.length === 0 ? {} : { [DAEMON_ENDPOINT]: Object.fromEntries(files) },
  };
}

function pairOf(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  if (equals < 0)
    throw new Fault("invalid", `Cannot read the endpoint's ${JSON.stringify(text)}: it is not KEY=VALUE`);
  const key = text.slice(0, equals).trim();
  if (!KEYS.includes(key))
    throw new Fault(
      "invalid",
      `unable to create docker endpoint config: unrecognized config key: ${key}; known are ${KEYS.join(", ")}${didYouMean(key, KEYS)}`,
    );
  return [key, text.slice(equals + 1).trim()];
}

function booleanOf(text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw new Fault("invalid", `skip-tls-verify: ${JSON.stringify(text)} is neither true nor false`);
}

function contentOf(path: string): Uint8Array {
  try {
    return new Uint8Array(fs().readFileSync(path));
  } catch (cause) {
    throw new Fault("invalid", `Cannot read the TLS file ${path}: ${sentenceOf(cause)}`, { cause });
  }
}
