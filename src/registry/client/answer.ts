import { Fault } from "#errors";

/**
 * One HTTP answer whose body is read at most once. Disposing it closes the connection, unless the body was
 * read to its end; so does a server that is silent for too long, and the caller's signal.
 */
export class Answer implements Disposable {
  readonly status: number;
  readonly headers: Headers;
  readonly url: URL;
  readonly #response: Response;
  readonly #controller: AbortController;
  readonly #silence: number;
  #isRead: boolean;

  constructor(
    response: Response,
    options: { readonly url: URL; readonly controller: AbortController; readonly silence: number },
  ) {
    this.status = response.status;
    this.headers = response.headers;
    this.url = options.url;
    this.#response = response;
    this.#controller = options.controller;
    this.#silence = options.silence;
    this.#isRead = response.body === null;
  }

  /** Throws `unavailable` when the line breaks or falls silent; the time the caller takes does not count. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    const { body } = this.#response;
    if (body === null) return;
    using watch = watchSilence(this.#controller, { host: this.url.host, silence: this.#silence });
    const reader = body.getReader();
    try {
      for (;;) {
        watch.resume();
        const { value, done } = await reader.read();
        watch.pause();
        if (done) break;
        yield value;
      }
      this.#isRead = true;
    } catch (thrown) {
      throw brokenLine(thrown, this.url.host);
    }
  }

  /** The whole body; throws `invalid` when it is longer than the limit, having read no more than that. */
  async bytes(limit: number, what: string): Promise<Uint8Array> {
    const tooLong = new Fault(
      "invalid",
      `Cannot read ${what} from ${this.url.host}: it is larger than ${limit} bytes`,
    );
    if (Number(this.headers.get("content-length") ?? 0) > limit) throw tooLong;
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of this.chunks()) {
      length += part.length;
      if (length > limit) throw tooLong;
      parts.push(part);
    }
    return Buffer.concat(parts, length);
  }

  /** Reads a short body to its end, so that the connection can be used again. */
  async discard(limit: number): Promise<void> {
    let length = 0;
    for await (const part of this.chunks()) {
      length += part.length;
      if (length > limit) return;
    }
  }

  [Symbol.dispose](): void {
    if (!this.#isRead) this.#controller.abort(new Fault("cancelled", "The rest of the answer is not wanted"));
  }
}

interface SilenceWatch extends Disposable {
  resume(): void;
  pause(): void;
}

/** Aborts the controller when it was resumed and not paused again for the given time. */
export function watchSilence(
  controller: AbortController,
  { host, silence }: { readonly host: string; readonly silence: number },
): SilenceWatch {
  let isWaiting = false;
  const timer = setTimeout(() => {
    const sentence = `${host} sent nothing for ${silence / 1000} seconds`;
    if (isWaiting) controller.abort(new Fault("unavailable", sentence));
  }, silence);
  return {
    resume() {
      isWaiting = true;
      timer.refresh();
    },
    pause() {
      isWaiting = false;
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
    },
  };
}

/** Whatever ended a transfer, as a Fault; a cancellation stays what it is. */
export function brokenLine(thrown: unknown, host: string): unknown {
  if (thrown instanceof Fault || (thrown instanceof Error && thrown.name === "AbortError")) return thrown;
  const { code, message } = thrown as { readonly code?: unknown; readonly message?: unknown };
  const reason = REASONS[String(code)] ?? String(message ?? thrown);
  return new Fault("unavailable", `The connection to ${host} failed: ${reason}`, { cause: thrown });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "it was closed in the middle",
  EAI_AGAIN: "its name cannot be looked up now",
  ENOTFOUND: "no such host",
  ETIMEDOUT: "it timed out",
  EPROTO: "it does not speak TLS on this port, or wants a certificate of ours that it does not get",
};
