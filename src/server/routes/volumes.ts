import { Hono } from "hono";
import { FiltersQuery, VolumeCreateBody, VolumeRemoveQuery } from "#api";
import type { JobRunner, ServerEnv } from "../environment.ts";
import { emptyResponse, jsonResponse } from "../json.ts";
import { parseFilters, VOLUME_FILTERS } from "../translate/filters.ts";
import { toVolumeInspect } from "../translate/volume.ts";
import { body, named, query } from "../validate.ts";

export function volumeRoutes(engine: JobRunner): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .get("/volumes", async (c) => {
      const filters = parseFilters(query(c, FiltersQuery).filters, VOLUME_FILTERS);
      const volumes = await engine.run("volume.list", { filters });
      return jsonResponse({ Volumes: volumes.map(toVolumeInspect), Warnings: null });
    })
    .post("/volumes/create", async (c) => {
      const { Name, Driver, DriverOpts, Labels } = await body(c, VolumeCreateBody);
      const volume = await engine.run("volume.create", {
        ...(Name !== "" && { name: Name }),
        ...(Driver !== "" && { driver: Driver }),
        labels: Labels,
        options: DriverOpts,
      });
      return jsonResponse(toVolumeInspect(volume), 201);
    })
    .get("/volumes/:name", async (c) => {
      return jsonResponse(toVolumeInspect(await engine.run("volume.inspect", { name: named(c, "name") })));
    })
    .delete("/volumes/:name", async (c) => {
      const { force } = query(c, VolumeRemoveQuery);
      await engine.run("volume.remove", { name: named(c, "name"), force });
      return emptyResponse(204);
    });
}
