import { Hono } from "hono";
import { ExecCreateBody, ExecStartBody, ResizeQuery } from "#api";
import { Fault, sentenceOf } from "#errors";
import { takeOver } from "../attach-stream.ts";
import type { JobRunner, ServerEnv } from "../environment.ts";
import { emptyResponse, jsonResponse } from "../json.ts";
import { toConsoleSize, toExecInspect, toExecSpec } from "../translate/exec.ts";
import { frame } from "../translate/log.ts";
import { body, named, query, requiredBody } from "../validate.ts";

export function execRoutes(engine: JobRunner): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .post("/containers/:id/exec", async (c) => {
      const wanted = await requiredBody(c, ExecCreateBody);
      if ((wanted.Cmd ?? []).length === 0) throw new Fault("invalid", "No exec command specified");
      const { id } = await engine.run("exec.create", { ref: named(c, "id"), spec: toExecSpec(wanted) });
      return jsonResponse({ Id: id }, 201);
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
