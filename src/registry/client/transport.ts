import { Fault } from "#errors";
import type { Reference } from "#oci";
import { Authorizer } from "../auth/authorizer.ts";
import { parseChallenge } from "../auth/challenge.ts";
import type { Credentials } from "../types.ts";
import type { Answer } from "./answer.ts";
import type { Clock } from "./clock.ts";
import type { Endpoint } from "./endpoints.ts";
import { type HttpSettings, send } from "./http.ts";
import { faultOf, readProblem, type Subject } from "./problem.ts";
import { backOff, isBusy, waitBusy } from "./retry.ts";

export interface Question {
  readonly reference: Reference;
  readonly subject: Subject;
  readonly method?: "GET" | "HEAD" | "POST" | "PATCH" | "PUT";
  /** What a token must allow; `pull` unless it says otherwise. */
  readonly actions?: "pull" | "pull,push";
  /** What a token must allow, where that is nothing of a repository. */
  readonly scope?: string;
  /** Another repository of the registry that a token must let us read as well. */
  readonly alsoPulls?: string;
  /** Below `/v2/<name>/`, or a whole path or URL that the registry itself gave. */
  readonly path: string;
  /** Made anew for each time it is sent. */
  readonly body?: () => Uint8Array | AsyncIterable<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** Speaks with one endpoint: finds its protocol, answers its challenges, waits while it is busy. */
export class Transport {
  readonly endpoint: Endpoint;
  readonly #http: HttpSettings;
  readonly #clock: Clock;
  readonly #authorizer: Authorizer;
  /** The base that answered. */
  #base: string | undefined;

  constructor(
    endpoint: Endpoint,
    options: {
      readonly http: HttpSettings;
      readonly clock: Clock;
      readonly credentials: Credentials | undefined;
    },
  ) {
    this.endpoint = endpoint;
    this.#http = options.http;
    this.#clock = options.clock;
    this.#authorizer = new Authorizer(options.credentials, options);
  }

  /** An answer of success (2xx); everything else is thrown as the Fault it means. */
  async ask(question: Question): Promise<Answer> {
    const { limits } = this.#http;
    const { host } = this.endpoint;
    for (let attempt = 0; ; attempt += 1) {
      // How much of a long body has arrived only the caller can find out.
      const isLast = attempt + 1 >= limits.attempts || question.method === "PATCH";
      let answer: Answer;
      try {
        answer = await this.#withAuthorization(question);
      } catch (thrown) {
        if (isLast || !mayPass(thrown, this.#base !== undefined)) throw thrown;
        await this.#clock.sleep(backOff(attempt, limits), question.signal);
        continue;
      }
      if (answer.status >= 200 && answer.status < 300) return answer;
      using refused = answer;
      const retryAfter = refused.headers.get("retry-after");
      const isToWait = isBusy(refused.status) && (!isLast || retryAfter !== null);
      if (isToWait)
        await waitBusy(retryAfter, { attempt, clock: this.#clock, limits, signal: question.signal, host });
      if (isLast || !isToWait) throw await this.#refusal(question, refused);
    }
  }

  /** As `ask`, with the whole of a short body: when the line breaks in the middle of it the question is asked again. */
  async read(
    question: Question,
    { limit, what }: { readonly limit: number; readonly what: string },
  ): Promise<{ readonly bytes: Uint8Array; readonly headers: Headers; readonly url: URL }> {
    const { limits } = this.#http;
    for (let attempt = 0; ; attempt += 1) {
      using answer = await this.ask(question);
      try {
        return { bytes: await answer.bytes(limit, what), headers: answer.headers, url: answer.url };
      } catch (thrown) {
        question.signal.throwIfAborted();
        const isBroken = thrown instanceof Fault && thrown.kind === "unavailable";
        if (!isBroken || attempt + 1 >= limits.attempts) throw thrown;
        await this.#clock.sleep(backOff(attempt, limits), question.signal);
      }
    }
  }

  async #refusal({ reference, subject }: Question, answer: Answer): Promise<Fault> {
    const challenge = parseChallenge(answer.headers.get("www-authenticate"));
    const isScopeDenied = challenge?.scheme === "bearer" && challenge.error === "insufficient_scope";
    const problem = await readProblem(answer, this.#http.limits);
    const { status } = answer;
    const { host } = this.endpoint;
    const told = status === 401 && isScopeDenied ? { code: "DENIED", message: "" } : problem;
    return faultOf(reference, { ...told, status, host, subject });
  }

  /** A 401 is answered once; a second one is the registry's last word. */
  async #withAuthorization(question: Question): Promise<Answer> {
    const scope = scopeOf(question);
    const sent = this.#authorizer.header(scope);
    const answer = await this.#send(question, sent);
    if (answer.status !== 401) return answer;
    const from = new URL(this.#base ?? answer.url);
    // Somebody behind a redirect has no claim to a password.
    if (answer.url.origin !== from.origin) return answer;
    using _ = answer;
    const challenge = parseChallenge(answer.headers.get("www-authenticate"));
    const { signal } = question;
    // It was only to be read so that its connection can be used again.
    await answer.discard(this.#http.limits.errorBody).catch(() => signal.throwIfAborted());
    const header = await this.#authorizer.answer(challenge, { scope, refused: sent, from, signal });
    return await this.#send(question, header);
  }

  async #send(question: Question, authorization: string | undefined): Promise<Answer> {
    const bases = this.#base === undefined ? this.endpoint.bases : [this.#base];
    for (const [position, base] of bases.entries()) {
      const isLast = position + 1 === bases.length;
      try {
        const answer = await this.#sendTo(base, question, { authorization, isLast });
        this.#base = base;
        return answer;
      } catch (thrown) {
        question.signal.throwIfAborted();
        const isUnreachable = thrown instanceof Fault && thrown.kind === "unavailable";
        if (isLast || !isUnreachable || (await this.#http.trust(this.endpoint.host)).isBound) throw thrown;
      }
    }
    throw new Fault("internal", `Cannot reach ${this.endpoint.host}: it has no address`);
  }

  async #sendTo(
    base: string,
    { path, reference, method = "GET", headers = {}, body, signal }: Question,
    { authorization, isLast }: { readonly authorization: string | undefined; readonly isLast: boolean },
  ): Promise<Answer> {
    const isWhole = path.startsWith("/") || /^https?:/.test(path);
    const url = new URL(isWhole ? path : `${base}/v2/${reference.path}/${path}`, base);
    // Where else a registry sends an upload, it sends it without our password.
    const isHome = url.origin === new URL(base).origin;
    const { limits } = this.#http;
    const http = isLast ? this.#http : { ...this.#http, limits: { ...limits, silence: limits.handshake } };
    return await send(
      url,
      {
        method,
        headers,
        signal,
        ...(body && { body: body() }),
        ...(authorization !== undefined && isHome && { authorization }),
      },
      http,
    );
  }
}

/** Source: distribution, token scope documentation. */
function scopeOf({ reference, actions = "pull", alsoPulls, scope }: Question): string {
  if (scope !== undefined) return scope;
  const own = `repository:${reference.path}:${actions}`;
  return alsoPulls === undefined ? own : `${own} repository:${alsoPulls}:pull`;
}

/** Whether the same request may fare better in a moment: a registry that was there may come back. */
function mayPass(thrown: unknown, wasThere: boolean): boolean {
  if (!(thrown instanceof Fault) || thrown.kind !== "unavailable") return false;
  const code = (thrown.cause as { readonly code?: unknown } | undefined)?.code;
  return wasThere ? code !== undefined : code === "ECONNRESET";
}
