import { type Context, Hono } from "hono";
import { ContainerCreateBody, RUN_FIELD, RunQuery, WARNINGS_FIELD } from "#api";
import { Fault } from "#errors";
import { type AttachedStream, takeOver } from "../attach-stream.ts";
import type { JobRunner, ServerEnv } from "../environment.ts";
import { problemOf } from "../problem.ts";
import { exitFrame, frame } from "../translate/log.ts";
import { query, requiredBody } from "../validate.ts";
import { createFrom } from "./containers.ts";
import { attach, toCondition } from "./streams.ts";

/** A container created, attached, waited for and started: Docker's four calls in one. */
export function runRoutes(engine: JobRunner): Hono<ServerEnv> {
  return new Hono<ServerEnv>().post("/bunker/containers/run", async (c) => {
    const { hijack, isJudged } = c.env;
    // Whoever is asked about each call, or stands between, knows Docker's: all of them are then needed.
    if (hijack?.protocol === undefined || isJudged) return c.notFound();
    return takeOver(c, await run(c, engine, hijack.gone));
  });
}

/**
 * What comes before the start throws; a container that was created by then stays, as after Docker's own create. That it could not be started stands in the
 * last frame, for the head of the reply is out by then.
 */
async function run(c: Context<ServerEnv>, engine: JobRunner, gone: AbortSignal): Promise<AttachedStream> {
  const { condition: text, ...names } = query(c, RunQuery);
  const condition = toCondition(text || "next-exit");
  if (condition === "not-running")
    throw new Fault(
      "invalid",
      "Cannot run a container until it does not run: it does not when it is created",
    );
  const wanted = await requiredBody(c, ContainerCreateBody);
  if (wanted.Tty)
    throw new Fault(
      "invalid",
      "Cannot run a terminal in one call: create the container, attach to it, start it",
    );
  const { id: ref, warnings } = await createFrom(engine, wanted, { ...names, version: c.get("version") });
  const { AttachStdin: stdin, AttachStdout: stdout, AttachStderr: stderr } = wanted;
  const streams = { stdin: stdin === true, stdout: stdout === true, stderr: stderr === true };
  const attached = await attach(engine, ref, {
    ...streams,
    stream: true,
    logs: false,
    detachKeys: undefined,
  });
  const wait = await engine.run("container.wait", { ref, condition });
  gone.addEventListener("abort", wait.cancel, { once: true });
  if (gone.aborted) {
    attached.cancel?.();
    wait.cancel();
    throw new Fault("cancelled", "Nobody waits for the container any more: it is created, and not started");
  }
  const started = engine.run("container.start", { ref });
  // Who could not be started lets nobody in.
  started.catch(attached.cancel ?? (() => {}));
  const last = started.then(
    async () => exitFrame((await wait.result).code),
    (thrown) => frame("error", new TextEncoder().encode(problemOf(thrown).message)),
  );
  const told = encodeURIComponent(JSON.stringify(warnings));
  const fields = [
    [RUN_FIELD, ref] as const,
    ...(warnings.length > 0 ? [[WARNINGS_FIELD, told] as const] : []),
  ];
  return { ...attached, last, fields };
}
