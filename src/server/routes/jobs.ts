import { Hono } from "hono";
import type { JobRunner, ServerEnv } from "../environment.ts";
import { emptyResponse, jsonResponse } from "../json.ts";
import { named } from "../validate.ts";

/** What Docker's API has no word for: the jobs of the engine. */
export function jobRoutes(engine: JobRunner): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .get("/bunker/jobs", async () => jsonResponse(await engine.run("job.list", {})))
    .post("/bunker/jobs/:id/cancel", async (c) => {
      await engine.run("job.cancel", { id: named(c, "id") });
      return emptyResponse(204);
    });
}
