import { Hono } from "hono";
import type { z } from "zod";
import {
  ContainerCreateBody,
  CreateQuery,
  FiltersQuery,
  KillQuery,
  ListQuery,
  RemoveQuery,
  RenameQuery,
  ResizeQuery,
  SizeQuery,
  StartQuery,
  StopQuery,
  TopQuery,
  UpdateBody,
} from "#api";
import { Fault } from "#errors";
import { type ContainerDetails, ContainerRows } from "../container-rows.ts";
import type { JobRunner, ServerEnv } from "../environment.ts";
import { emptyResponse, jsonResponse, jsonTextResponse } from "../json.ts";
import { createWarnings } from "../translate/asked-networks.ts";
import { toContainerSpec } from "../translate/container-create.ts";
import { CONTAINER_FILTERS, CONTAINER_PRUNE_FILTERS, parseFilters } from "../translate/filters.ts";
import { toResourceSpec, toRestartPolicy } from "../translate/host-spec.ts";
import { body, named, query, requiredBody } from "../validate.ts";

/** Everything about containers that is one request and one reply. */
export function containerRoutes(engine: JobRunner, details: ContainerDetails): Hono<ServerEnv> {
  const routes = new Hono<ServerEnv>();
  const rows = new ContainerRows();
  lifecycle(routes, engine);
  changes(routes, engine);
  return routes
    .post("/containers/create", async (c) => {
      const names = query(c, CreateQuery);
      const wanted = await requiredBody(c, ContainerCreateBody);
      const { id, warnings } = await createFrom(engine, wanted, { ...names, version: c.get("version") });
      return jsonResponse({ Id: id, Warnings: warnings }, 201);
    })
    .get("/containers/json", async (c) => {
      const { all, limit = 0, size, since, before, filters } = query(c, ListQuery);
      const wanted = {
        ...parseFilters(filters, CONTAINER_FILTERS),
        ...(since !== undefined && { since: [since] }),
        ...(before !== undefined && { before: [before] }),
      };
      const input = { all: all || limit > 0, limit: Math.max(0, limit), size, filters: wanted };
      const views = await engine.run("container.list", input);
      const at = { now: new Date(), version: c.get("version") };
      return jsonTextResponse(rows.json(views, at));
    })
    .get("/containers/:id/json", async (c) => {
      const { size } = query(c, SizeQuery);
      const view = await engine.run("container.inspect", { ref: named(c, "id"), size });
      return jsonTextResponse(details.json(view, c.get("version")));
    })
    .get("/containers/:id/top", async (c) => {
      const psArgs = (query(c, TopQuery).ps_args ?? "").split(/\s+/).filter((word) => word !== "");
      const { titles, processes } = await engine.run("container.top", { ref: named(c, "id"), psArgs });
      return jsonResponse({ Titles: titles, Processes: processes });
    })
    .get("/containers/:id/changes", async (c) => {
      const found = await engine.run("container.changes", { ref: named(c, "id") });
      return jsonResponse(found.map(({ path, kind }) => ({ Path: path, Kind: kind })));
    })
    .post("/containers/prune", async (c) => {
      const filters = parseFilters(query(c, FiltersQuery).filters, CONTAINER_PRUNE_FILTERS);
      const { deleted, reclaimedBytes } = await engine.run("container.prune", { filters });
      return jsonResponse({ ContainersDeleted: deleted, SpaceReclaimed: reclaimedBytes });
    });
}

/** As a client asks for it in this version of the API. */
export async function createFrom(
  engine: JobRunner,
  wanted: z.output<typeof ContainerCreateBody>,
  { name, platform, version }: z.output<typeof CreateQuery> & { readonly version: string },
): Promise<{ readonly id: string; readonly warnings: readonly string[] }> {
  const spec = toContainerSpec(wanted, { version, platform });
  const input = { spec, ...(name !== undefined && name !== "" && { name }) };
  const { id, warnings } = await engine.run("container.create", input);
  return { id, warnings: [...createWarnings(wanted, version), ...warnings] };
}

/** None of these hears of a client that goes away: what was begun is brought to its end. */
function lifecycle(routes: Hono<ServerEnv>, engine: JobRunner): void {
  routes
    .post("/containers/:id/start", async (c) => {
      if ((query(c, StartQuery).checkpoint ?? "") !== "")
        throw new Fault("unsupported", "Cannot start from a checkpoint: checkpoints are not supported");
      const { changed } = await engine.run("container.start", { ref: named(c, "id") });
      return emptyResponse(changed ? 204 : 304);
    })
    .post("/containers/:id/stop", async (c) => {
      const { changed } = await engine.run("container.stop", {
        ref: named(c, "id"),
        ...stopping(query(c, StopQuery)),
      });
      return emptyResponse(changed ? 204 : 304);
    })
    .post("/containers/:id/restart", async (c) => {
      await engine.run("container.restart", { ref: named(c, "id"), ...stopping(query(c, StopQuery)) });
      return emptyResponse(204);
    })
    .post("/containers/:id/kill", async (c) => {
      await engine.run("container.kill", {
        ref: named(c, "id"),
        signal: query(c, KillQuery).signal || "SIGKILL",
      });
      return emptyResponse(204);
    })
    .delete("/containers/:id", async (c) => {
      const { v: volumes, force, link } = query(c, RemoveQuery);
      await engine.run("container.remove", { ref: named(c, "id"), volumes, force, link });
      return emptyResponse(204);
    })
    // A link goes by its path: PARENT/ALIAS.
    .delete("/containers/:parent/:alias", async (c) => {
      const { v: volumes, force, link } = query(c, RemoveQuery);
      const ref = `${named(c, "parent")}/${named(c, "alias")}`;
      await engine.run("container.remove", { ref, volumes, force, link });
      return emptyResponse(204);
    })
    .post("/containers/:id/pause", async (c) => {
      await engine.run("container.pause", { ref: named(c, "id") });
      return emptyResponse(204);
    })
    .post("/containers/:id/unpause", async (c) => {
      await engine.run("container.unpause", { ref: named(c, "id") });
      return emptyResponse(204);
    });
}

function changes(routes: Hono<ServerEnv>, engine: JobRunner): void {
  routes
    .post("/containers/:id/rename", async (c) => {
      const name = (query(c, RenameQuery).name ?? "").replace(/^\//, "");
      if (name === "")
        throw new Fault("invalid", "Cannot rename the container: the new name must not be empty");
      await engine.run("container.rename", { ref: named(c, "id"), name });
      return emptyResponse(204);
    })
    .post("/containers/:id/update", async (c) => {
      const wanted = await body(c, UpdateBody);
      const restartPolicy = wanted.RestartPolicy?.Name ? toRestartPolicy(wanted.RestartPolicy) : undefined;
      const { warnings } = await engine.run("container.update", {
        ref: named(c, "id"),
        resources: toResourceSpec(wanted),
        ...(restartPolicy !== undefined && { restartPolicy }),
      });
      return jsonResponse({ Warnings: warnings });
    })
    .post("/containers/:id/resize", async (c) => {
      const { h, w } = query(c, ResizeQuery);
      if (h === undefined || w === undefined || h < 0 || w < 0)
        throw new Fault("invalid", "Cannot resize the terminal: h and w must be whole numbers");
      await engine.run("container.resize", { ref: named(c, "id"), rows: h, columns: w });
      return emptyResponse(200);
    });
}

function stopping({ t, signal }: { t: number | undefined; signal?: string | undefined }) {
  return {
    ...(t !== undefined && { timeoutSeconds: t }),
    ...(signal !== undefined && signal !== "" && { signal }),
  };
}
