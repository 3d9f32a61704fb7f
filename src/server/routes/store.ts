import { type Context, Hono } from "hono";
import { DoctorQuery, GarbageQuery } from "#api";
import { clientGone, type JobRunner, type ServerEnv } from "../environment.ts";
import { jsonResponse } from "../json.ts";
import { registriesEnvironment } from "../translate/registry-auth.ts";
import { query } from "../validate.ts";

/** What Docker's API has no word for: whether the store is whole, and what of it nobody needs. GET looks, POST acts. */
export function storeRoutes(engine: JobRunner): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .get("/bunker/doctor", (c) => askDoctor(engine, c, { repairs: false }))
    .post("/bunker/doctor", (c) => askDoctor(engine, c, { repairs: true }))
    .get("/bunker/gc", (c) => collect(engine, c, { isDry: true }))
    .post("/bunker/gc", (c) => collect(engine, c, { isDry: false }));
}

async function askDoctor(
  engine: JobRunner,
  c: Context<ServerEnv>,
  { repairs }: { readonly repairs: boolean },
): Promise<Response> {
  const { quick: isQuick } = query(c, DoctorQuery);
  const environment = registriesEnvironment(c.req.header("X-Registry-Config"));
  const options = { environment, signal: clientGone(c) };
  return jsonResponse(await engine.run("system.doctor", { isQuick, repairs }, options));
}

async function collect(
  engine: JobRunner,
  c: Context<ServerEnv>,
  { isDry }: { readonly isDry: boolean },
): Promise<Response> {
  const { all, keep = 0, goal } = query(c, GarbageQuery);
  const input = { isDry, all, keepSeconds: keep, ...(goal !== undefined && { goalBytes: goal }) };
  return jsonResponse(await engine.run("system.gc", input, { signal: clientGone(c) }));
}
