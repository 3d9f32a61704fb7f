import { type Context, Hono } from "hono";
import { EXEC_FIELD, ExecCreateBody, ExecStartBody, ResizeQuery } from "#api";
import { Fault, sentenceOf } from "#errors";
import { takeOver } from "../attach-stream.ts";
import { parseDetachKeys } from "../detach-keys.ts";
import type { JobRunner, ServerEnv } from "../environment.ts";
import { emptyResponse, jsonResponse } from "../json.ts";
import { toConsoleSize, toExecInspect, toExecSpec } from "../translate/exec.ts";
import { exitFrame, frame } from "../translate/log.ts";
import { body, named, query, requiredBody } from "../validate.ts";

export function execRoutes(engine: JobRunner): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .post("/containers/:id/exec", async (c) => {
      const wanted = await wantedExec(c);
      const { id } = await engine.run("exec.create", { ref: named(c, "id"), spec: toExecSpec(wanted) });
      return jsonResponse({ Id: id }, 201);
    })
    .post("/bunker/containers/:id/exec", async (c) => {
      // Whoever is asked about each call, or stands between, knows Docker's two: both of them are then needed.
      if (c.env.hijack?.protocol === undefined || c.env.isJudged) return c.notFound();
      const wanted = await wantedExec(c);
      if (wanted.Tty)
        throw new Fault(
          "invalid",
          "Cannot run a command on a terminal in one call: create it, then start it",
        );
      const spec = toExecSpec(wanted);
      const { id } = await engine.run("exec.create", { ref: named(c, "id"), spec });
      const started = engine.run("exec.start", { id, attach: true });
      const { attachStdin: stdin, detachKeys } = spec;
      return takeOver(c, {
        tty: false,
        stdin,
        detachKeys,
        open: started.then(({ stream }) => stream),
        backlog: failureOf(started, false),
        last: started.then(
          async ({ exited }) => exitFrame((await exited).code),
          () => exitFrame(NOT_STARTED),
        ),
        fields: [[EXEC_FIELD, id]],
      });
    })
    .get("/exec/:id/json", async (c) => {
      return jsonResponse(toExecInspect(await engine.run("exec.inspect", { id: named(c, "id") })));
    })
    .post("/exec/:id/resize", async (c) => {
      const { h, w } = query(c, ResizeQuery);
      if (h === undefined || w === undefined || h < 0 || w < 0)
        throw new Fault("invalid", "Cannot resize the terminal: h and w must be whole numbers");
      await engine.run("exec.resize", { id: named(c, "id"), rows: h, columns: w });
      return emptyResponse(200);
    })
    .post("/exec/:id/start", async (c) => {
      const id = named(c, "id");
      const { Detach, Tty, ConsoleSize } = await body(c, ExecStartBody);
      const size = toConsoleSize(ConsoleSize);
      const input = {
        id,
        attach: !Detach,
        ...(typeof Tty === "boolean" && { tty: Tty }),
        ...(size !== undefined && { consoleSize: size }),
      };
      if (Detach) {
        await engine.run("exec.start", input);
        return emptyResponse(200);
      }
      const { spec } = await engine.run("exec.inspect", { id });
      const { tty, attachStdin: stdin, detachKeys } = spec;
      // The head of the reply goes first: clients lose output that comes in one piece with it.
      const started = engine.run("exec.start", input);
      const open = started.then(({ stream }) => stream);
      return takeOver(c, { tty, stdin, detachKeys, open, backlog: failureOf(started, tty) });
    });
}

/** The exit code of what could not be begun. Source: docker exec reference, as for `docker run`. */
const NOT_STARTED = 126;

async function wantedExec(c: Context<ServerEnv>) {
  const wanted = await requiredBody(c, ExecCreateBody);
  if ((wanted.Cmd ?? []).length === 0) throw new Fault("invalid", "No exec command specified");
  // Refused before anything is begun.
  parseDetachKeys(toExecSpec(wanted).detachKeys);
  return wanted;
}

/** A program that cannot be run says so in the stream: its exit code (126, 127) is what clients look at. */
async function* failureOf(
  started: Promise<{ readonly failure?: string }>,
  tty: boolean,
): AsyncGenerator<Uint8Array> {
  const { failure } = await started.catch((thrown) => ({ failure: sentenceOf(thrown) }));
  if (failure === undefined) return;
  const bytes = new TextEncoder().encode(`${failure}\r\n`);
  yield tty ? bytes : frame("stdout", bytes);
}
