import { Hono } from "hono";
import { VolumeNameBody, VolumeReadQuery } from "#api";
import { clientGone, type JobRunner, type ServerEnv } from "../environment.ts";
import { emptyResponse, jsonResponse } from "../json.ts";
import { bodyStream } from "../request-body.ts";
import { streamResponse } from "../stream.ts";
import { toSnapshot, toVolumeInspect } from "../translate/volume.ts";
import { body, named, query } from "../validate.ts";

const TAR = "application/x-tar";

/** What can be done with a volume's content, beyond Docker's API. */
export function volumeContentRoutes(engine: JobRunner): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .get("/bunker/volumes/:name/export", async (c) => {
      const { live } = query(c, VolumeReadQuery);
      const input = { name: named(c, "name"), live };
      const bytes = await engine.run("volume.export", input, { signal: clientGone(c) });
      return streamResponse(bytes, TAR);
    })
    .post("/bunker/volumes/:name/import", async (c) => {
      const archive = bodyStream(c);
      const streams = archive === undefined ? {} : { input: archive };
      await engine.run("volume.import", { name: named(c, "name") }, { signal: clientGone(c), streams });
      return emptyResponse(204);
    })
    .post("/bunker/volumes/:name/clone", async (c) => {
      const { live } = query(c, VolumeReadQuery);
      const { Name: target } = await body(c, VolumeNameBody);
      const input = { name: named(c, "name"), target, live };
      const volume = await engine.run("volume.clone", input, { signal: clientGone(c) });
      return jsonResponse(toVolumeInspect(volume), 201);
    })
    .get("/bunker/volumes/:name/snapshots", async (c) => {
      const snapshots = await engine.run("volume.snapshots", { name: named(c, "name") });
      return jsonResponse(snapshots.map(toSnapshot));
    })
    .post("/bunker/volumes/:name/snapshots", async (c) => {
      const { live } = query(c, VolumeReadQuery);
      const { Name: snapshot } = await body(c, VolumeNameBody);
      const input = { name: named(c, "name"), snapshot, live };
      const made = await engine.run("volume.snapshot", input, { signal: clientGone(c) });
      return jsonResponse(toSnapshot(made), 201);
    })
    .delete("/bunker/volumes/:name/snapshots/:id", async (c) => {
      await engine.run("volume.snapshot-remove", { name: named(c, "name"), snapshot: named(c, "id") });
      return emptyResponse(204);
    })
    .post("/bunker/volumes/:name/restore", async (c) => {
      const { Name: snapshot } = await body(c, VolumeNameBody);
      const input = { name: named(c, "name"), snapshot };
      await engine.run("volume.restore", input, { signal: clientGone(c) });
      return emptyResponse(204);
    });
}
