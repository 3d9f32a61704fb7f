/** What a registry asks for in `WWW-Authenticate`. Source: RFC 9110 section 11.6.1; distribution, token authentication. */
export type Challenge =
  | { readonly scheme: "basic" }
  | {
      readonly scheme: "bearer";
      readonly realm: string;
      readonly service?: string;
      readonly scope?: string;
      /** `insufficient_scope`, `invalid_token` */
      readonly error?: string;
    };

/** Longer headers are not parsed. */
const LONGEST = 8192;
const PART = /\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)/y;

/** The first challenge of a kind this client can answer; undefined when there is none. */
export function parseChallenge(header: string | null): Challenge | undefined {
  if (header === null || header.length > LONGEST) return undefined;
  const start = /(?:^|,)\s*(basic|bearer)(?:\s+|$)/i.exec(header);
  if (start === null) return undefined;
  if (start[1]?.toLowerCase() === "basic") return { scheme: "basic" };
  const { realm, service, scope, error } = parameters(header, start.index + start[0].length);
  if (realm === undefined) return undefined;
  return {
    scheme: "bearer",
    realm,
    ...(service !== undefined && { service }),
    ...(scope !== undefined && { scope }),
    ...(error !== undefined && { error }),
  };
}

function parameters(header: string, from: number): Partial<Record<string, string>> {
  const found: Record<string, string> = {};
  PART.lastIndex = from;
  for (let match = PART.exec(header); match !== null; match = PART.exec(header)) {
    const [, name = "", quoted, bare = ""] = match;
    found[name.toLowerCase()] ??= quoted === undefined ? bare : quoted.replace(/\\(.)/g, "$1");
  }
  return found;
}
