import { Hono } from "hono";
import { compareVersions, FiltersQuery, VolumeCreateBody, VolumeRemoveQuery } from "#api";
import type { Filters } from "#jobs";
import { clientGone, type JobRunner, type ServerEnv } from "../environment.ts";
import { emptyResponse, jsonResponse } from "../json.ts";
import { parseFilters, VOLUME_FILTERS, VOLUME_PRUNE_FILTERS } from "../translate/filters.ts";
import { toVolumeInspect } from "../translate/volume.ts";
import { body, named, query } from "../validate.ts";

/** Before it, prune took volumes with a name as well. Source: Docker Engine API, version history. */
const ANONYMOUS_ONLY_SINCE = "1.42";

export function volumeRoutes(engine: JobRunner): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .get("/volumes", async (c) => {
      const filters = parseFilters(query(c, FiltersQuery).filters, VOLUME_FILTERS);
      const { volumes, warnings } = await engine.run("volume.list", { filters });
      const Warnings = warnings.length === 0 ? null : warnings;
      return jsonResponse({ Volumes: volumes.map(toVolumeInspect), Warnings });
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
    .post("/volumes/prune", async (c) => {
      const asked = parseFilters(query(c, FiltersQuery).filters, VOLUME_PRUNE_FILTERS);
      const filters = pruneFilters(asked, c.get("version"));
      const pruned = await engine.run("volume.prune", { filters }, { signal: clientGone(c) });
      return jsonResponse({ VolumesDeleted: pruned.deleted, SpaceReclaimed: pruned.reclaimedBytes });
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

function pruneFilters(asked: Filters, version: string): Filters {
  const isOld = compareVersions(version, ANONYMOUS_ONLY_SINCE) < 0;
  return isOld && asked.all === undefined ? { ...asked, all: ["true"] } : asked;
}
