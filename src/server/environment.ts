import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Context } from "hono";
import type { Engine } from "#engine";
import type { Jobs } from "#jobs";
import type { Hijack } from "./upgrade.ts";

/** What every route may read from its context. */
export interface ServerEnv {
  Variables: {
    /** The API version the client asked for. */
    version: string;
  };
  Bindings: {
    incoming?: IncomingMessage;
    outgoing?: ServerResponse;
    /** Of a request that may take it over: what it came by. */
    connection?: Socket;
    /** Present when the connection may be taken over. */
    hijack?: Hijack;
    /** Whether somebody was asked about this request, who knows Docker's own calls. */
    isJudged?: boolean;
  };
}

/** All a route needs of the engine. */
export type JobRunner = Pick<Engine<Jobs>, "run">;

/** What is true of this build and this host for as long as the daemon runs. */
export interface ServerFacts {
  readonly version: string;
  readonly gitCommit: string;
  /** RFC 3339. */
  readonly buildTime: string;
  readonly kernelVersion: string;
  /** As Go names it: `amd64`, `arm64`. */
  readonly architecture: string;
  /** The oldest version of the API that is answered, where it is not the oldest that is spoken. */
  readonly minimumApiVersion?: string;
  /** Told to clients; nothing here depends on it. */
  readonly isExperimental?: boolean;
}

/**
 * Aborts when the client has gone: its connection is closed, or it has finished sending, which Docker takes
 * for the same thing on every request that is not an upgraded one.
 */
export function clientGone(c: Context<ServerEnv>): AbortSignal {
  const { incoming, outgoing, hijack } = c.env ?? {};
  if (hijack !== undefined) return hijack.gone;
  if (incoming === undefined || outgoing === undefined) return c.req.raw.signal;
  const { socket } = incoming;
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (socket.readableEnded || socket.destroyed) abort();
  socket.once("end", abort);
  outgoing.once("close", () => {
    socket.off("end", abort);
    abort();
  });
  return controller.signal;
}
