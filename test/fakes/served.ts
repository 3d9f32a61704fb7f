import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type App, createApp, listen } from "#server";
import { type FakeEngine, type FakeJobs, fakeEngine } from "./jobs.ts";
import { heldToSchemas } from "./replies.ts";
import { scratch } from "./scratch.ts";

export const FACTS = {
  version: "0.1.0",
  gitCommit: "abc1234",
  buildTime: "2026-01-01T00:00:00Z",
  kernelVersion: "6.18.0",
  architecture: "amd64",
};

export interface Served extends AsyncDisposable {
  readonly path: string;
  /** Of its other socket, on loopback. */
  readonly port: number;
  readonly engine: FakeEngine;
  readonly app: App;
  /** A connection that has sent these bytes. */
  dial(bytes: string): Client;
}

/** The app over fake jobs, on a unix socket of its own. */
export async function served(jobs: FakeJobs): Promise<Served> {
  const place = await scratch();
  const path = join(place.path, "bunker.sock");
  const engine = fakeEngine(jobs);
  const app = heldToSchemas(createApp({ engine, facts: FACTS }));
  const listening = await listen({
    app,
    hosts: [`unix://${path}`, "tcp://127.0.0.1:0"],
    graceMilliseconds: 0,
  });
  const clients: Client[] = [];
  return {
    path,
    port: Number(listening.addresses[1]?.split(":").at(-1)),
    engine,
    app,
    dial(bytes) {
      const client = new Client(connect({ path, allowHalfOpen: true }));
      clients.push(client);
      client.socket.write(Buffer.from(bytes, "latin1"));
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const { socket } of clients) socket.destroy();
      await listening[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}

/** A raw connection whose reply is read as it comes. */
export class Client {
  readonly socket: Socket;
  #received = "";
  #isEnded = false;
  readonly #waiting = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
      for (const look of this.#waiting) look();
    });
    const end = () => {
      this.#isEnded = true;
      for (const look of this.#waiting) look();
    };
    socket.on("end", end).on("close", end).on("error", end);
  }

  get received(): string {
    return this.#received;
  }

  /** Everything received, once the text is among it. Rejects when the connection ends without it. */
  until(text: string): Promise<string> {
    return this.#wait(() => this.#received.includes(text), `"${text}"`);
  }

  /** Everything, once the server has finished sending. */
  ended(): Promise<string> {
    return this.#wait(() => this.#isEnded, "the end");
  }

  #wait(isThere: () => boolean, what: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const look = () => {
      if (!isThere() && !this.#isEnded) return;
      this.#waiting.delete(look);
      if (isThere()) resolve(this.#received);
      else reject(new Error(`The connection ended before ${what} came: ${JSON.stringify(this.#received)}`));
    };
    this.#waiting.add(look);
    look();
    return promise;
  }
}
