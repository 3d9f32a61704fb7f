import type { Socket } from "node:net";
import { Fault } from "#errors";
import type { AttachStreams } from "#exec";

/** What can be attached to: a container that is about to run, or runs. */
export interface Attachable {
  attach(streams: AttachStreams): Promise<Socket>;
}

/** A client that waits for a container to start. */
export interface Waiting {
  readonly socket: Promise<Socket>;
  cancel(): void;
}

interface Entry {
  readonly streams: AttachStreams;
  readonly resolve: (socket: Socket) => void;
  readonly reject: (reason: unknown) => void;
}

/** The clients that attached before there was a process: a start connects them while it cannot yet write. */
export class Attachments {
  readonly #waiting = new Map<string, Set<Entry>>();

  wait(id: string, streams: AttachStreams): Waiting {
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    // A client that has gone does not look at its stream any more.
    promise.catch(() => {});
    const entry = { streams, resolve, reject };
    const entries = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, entries.add(entry));
    const cancel = () => {
      if (entries.delete(entry)) reject(new Fault("cancelled", "The attach was given up"));
    };
    return { socket: promise, cancel };
  }

  /** Connects all who wait. One that cannot be connected learns why; the others are none the worse. */
  async connect(id: string, process: Attachable): Promise<void> {
    const entries = this.#take(id);
    await Promise.all(
      entries.map(({ streams, resolve, reject }) => process.attach(streams).then(resolve, reject)),
    );
  }

  /** The container will not start: their wait is over. */
  refuse(id: string, reason: unknown): void {
    for (const { reject } of this.#take(id)) reject(reason);
  }

  #take(id: string): readonly Entry[] {
    const entries = [...(this.#waiting.get(id) ?? [])];
    this.#waiting.get(id)?.clear();
    this.#waiting.delete(id);
    return entries;
  }
}
