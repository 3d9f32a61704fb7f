import { Fault } from "#errors";
import type { Clock } from "../client/clock.ts";
import type { HttpSettings } from "../client/http.ts";
import type { Credentials } from "../types.ts";
import { basic } from "./basic.ts";
import type { Challenge } from "./challenge.ts";
import { requestToken } from "./token.ts";

/** A token is given up this much before it ends, so that it does not end under way. */
const MARGIN_MS = 5_000;

interface Held {
  readonly header: string;
  readonly endsAt: number;
}

/** Answers the challenges of one registry, and remembers per scope what it was answered with. */
export class Authorizer {
  readonly #credentials: Credentials | undefined;
  readonly #clock: Clock;
  readonly #http: HttpSettings;
  readonly #held = new Map<string, Held>();
  readonly #asking = new Map<string, Promise<Held>>();

  constructor(
    credentials: Credentials | undefined,
    options: { readonly clock: Clock; readonly http: HttpSettings },
  ) {
    this.#credentials = credentials;
    this.#clock = options.clock;
    this.#http = options.http;
  }

  /** What to send along; undefined until the registry asked for something. */
  header(scope: string): string | undefined {
    const held = this.#held.get(scope);
    return held !== undefined && held.endsAt > this.#clock.now() ? held.header : undefined;
  }

  /**
   * A header other than the one just refused, asked for once however many requests wait for it.
   * Throws `unauthorized` when there is nothing to answer with.
   */
  async answer(
    challenge: Challenge | undefined,
    asked: {
      readonly scope: string;
      readonly refused: string | undefined;
      readonly from: URL;
      readonly signal: AbortSignal;
    },
  ): Promise<string> {
    const known = this.header(asked.scope);
    if (known !== undefined && known !== asked.refused) return known;
    const asking = this.#asking.get(asked.scope) ?? this.#ask(challenge, asked);
    this.#asking.set(asked.scope, asking);
    try {
      const held = await asking;
      this.#held.set(asked.scope, held);
      return held.header;
    } finally {
      if (this.#asking.get(asked.scope) === asking) this.#asking.delete(asked.scope);
    }
  }

  async #ask(
    challenge: Challenge | undefined,
    { scope, from, signal }: { readonly scope: string; readonly from: URL; readonly signal: AbortSignal },
  ): Promise<Held> {
    if (challenge === undefined)
      throw new Fault("unauthorized", `Cannot log in at ${from.host}: it does not say how`);
    if (challenge.scheme === "basic") {
      const header = basic(this.#credentials);
      if (header === undefined)
        throw new Fault("unauthorized", `Cannot log in at ${from.host}: no basic auth credentials`);
      return { header, endsAt: Number.POSITIVE_INFINITY };
    }
    const given = this.#credentials?.registryToken;
    if (given !== undefined) return { header: `Bearer ${given}`, endsAt: Number.POSITIVE_INFINITY };
    const { token, lifeSeconds } = await requestToken(
      { ...challenge, scope: wanted(challenge.scope, scope) },
      this.#credentials,
      { from, signal, http: this.#http },
    );
    return { header: `Bearer ${token}`, endsAt: this.#clock.now() + lifeSeconds * 1000 - MARGIN_MS };
  }
}

/** The registry knows best what it wants of one repository; what it takes to read a second one it need not say. */
function wanted(challenged: string | undefined, scope: string): string {
  if (challenged === undefined || !scope.includes(" ")) return challenged ?? scope;
  return [...new Set([...challenged.split(" "), ...scope.split(" ")])].join(" ");
}
