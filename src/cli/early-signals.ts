import { killContainer } from "#client";
import { Fault } from "#errors";
import type { Session } from "./session.ts";
import { proxySignals } from "./terminal.ts";

/** A container that is being started cannot be signalled yet: how often and after how long it is tried again. */
const TRIES = 200;
const RETRY_MILLISECONDS = 25;

/** Signals that come while a container is made and started in one call: they are its own as soon as it is known. */
export class EarlySignals implements Disposable {
  readonly #kept: string[] = [];
  #proxy: Disposable | undefined;

  /** From here on they do not end this program. */
  keep(): void {
    this.#proxy ??= proxySignals((signal) => this.#kept.push(signal));
  }

  /** There is no such container: whoever sent one meant this program. */
  obey(): void {
    this[Symbol.dispose]();
    for (const signal of this.#kept.splice(0)) process.kill(process.pid, signal);
  }

  /** To the container, in order. Whatever comes later is another's to hand on. */
  async handOver(session: Session, id: string): Promise<void> {
    this[Symbol.dispose]();
    for (const signal of this.#kept.splice(0)) await tell(session, id, signal);
  }

  [Symbol.dispose](): void {
    this.#proxy?.[Symbol.dispose]();
    this.#proxy = undefined;
  }
}

/** Until it runs, or has ended: then it is in conflict to the last. */
async function tell(session: Session, id: string, signal: string): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++)
    try {
      return await killContainer(session.daemon, id, signal);
    } catch (thrown) {
      if (!(thrown instanceof Fault && thrown.kind === "conflict")) return;
      await Bun.sleep(RETRY_MILLISECONDS);
    }
}
