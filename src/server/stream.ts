/** Bytes that may wait for a slow client before whoever makes them is made to wait. */
const HIGH_WATER_BYTES = 64 * 1024;

/**
 * A reply whose body is made as the client reads it. The status and the headers go out at once, before the
 * first item; the iteration is given up when the client has gone.
 */
export function streamResponse(items: AsyncIterable<Uint8Array | string>, contentType: string): Response {
  const batches = new Batches(items[Symbol.asyncIterator]());
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const batch = await batches.next();
        if (batch === undefined) controller.close();
        else controller.enqueue(batch);
      },
      async cancel() {
        await batches.giveUp();
      },
    },
    { highWaterMark: HIGH_WATER_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
  );
  return new Response(body, { status: 200, headers: { "Content-Type": contentType } });
}

/**
 * The items as bytes, as many at a time as are there without waiting: a write for each line would cost far more
 * than to make the line.
 */
class Batches {
  readonly #items: AsyncIterator<Uint8Array | string>;
  readonly #encoder = new TextEncoder();
  /** Asked for and not yet there when the last batch went out. */
  #coming: Promise<IteratorResult<Uint8Array | string>> | undefined;

  constructor(items: AsyncIterator<Uint8Array | string>) {
    this.#items = items;
  }

  /** Undefined at the end. What the iteration throws is thrown after everything that came before it. */
  async next(): Promise<Uint8Array | undefined> {
    const first = await this.#ask();
    this.#coming = undefined;
    if (first.done) return undefined;
    const parts = [this.#bytes(first.value)];
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    setImmediate(resolve, undefined);
    for (let size = parts[0]?.length ?? 0; size < HIGH_WATER_BYTES; ) {
      const coming = this.#ask();
      const step = await Promise.race([coming, late]).catch(() => undefined);
      if (step === undefined || step.done) break;
      this.#coming = undefined;
      const bytes = this.#bytes(step.value);
      parts.push(bytes);
      size += bytes.length;
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  async giveUp(): Promise<void> {
    await this.#items.return?.();
  }

  #ask(): Promise<IteratorResult<Uint8Array | string>> {
    if (this.#coming === undefined) {
      this.#coming = this.#items.next();
      // Whoever asks next hears of it.
      this.#coming.catch(() => undefined);
    }
    return this.#coming;
  }

  #bytes(item: Uint8Array | string): Uint8Array {
    return typeof item === "string" ? this.#encoder.encode(item) : item;
  }
}
