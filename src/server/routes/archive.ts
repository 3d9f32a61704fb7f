import { Hono } from "hono";
import {
  ArchivePutQuery,
  ArchiveQuery,
  CommitBody,
  CommitQuery,
  encodePathStat,
  PATH_STAT_HEADER,
  toGoMode,
} from "#api";
import { Fault } from "#errors";
import type { PathLook } from "#jobs";
import { clientGone, type JobRunner, type ServerEnv } from "../environment.ts";
import { emptyResponse, jsonResponse } from "../json.ts";
import { bodyStream } from "../request-body.ts";
import { streamResponse } from "../stream.ts";
import { toImageSettings } from "../translate/container-create.ts";
import { body, named, query } from "../validate.ts";

const TAR = "application/x-tar";

/** A container's files as archives, both ways. */
export function archiveRoutes(engine: JobRunner): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .get("/containers/:id/archive", async (c) => {
      const input = { ref: named(c, "id"), path: demanded(query(c, ArchiveQuery).path) };
      if (c.req.method === "HEAD") {
        const stat = await engine.run("container.archive-stat", input);
        return new Response(null, { status: 200, headers: { [PATH_STAT_HEADER]: statHeader(stat) } });
      }
      const { stat, bytes } = await engine.run("container.archive-get", input, { signal: clientGone(c) });
      const response = streamResponse(bytes, TAR);
      response.headers.set(PATH_STAT_HEADER, statHeader(stat));
      return response;
    })
    .put("/containers/:id/archive", async (c) => {
      const { path, noOverwriteDirNonDir, copyUIDGID } = query(c, ArchivePutQuery);
      const content = bodyStream(c);
      await engine.run(
        "container.archive-put",
        {
          ref: named(c, "id"),
          path: demanded(path),
          keepsKinds: noOverwriteDirNonDir,
          copiesOwner: copyUIDGID,
        },
        { signal: clientGone(c), streams: content === undefined ? {} : { input: content } },
      );
      return emptyResponse(200);
    })
    .post("/commit", async (c) => {
      const {
        container = "",
        repo = "",
        tag = "",
        comment = "",
        author = "",
        pause = true,
      } = query(c, CommitQuery);
      if (container === "") throw new Fault("invalid", "Cannot commit: the query names no container");
      const settings = toImageSettings(await body(c, CommitBody));
      const changes = c.req.queries("changes") ?? [];
      const { id } = await engine.run(
        "container.commit",
        { ref: container, repository: repo, tag, comment, author, pause, settings, changes },
        { signal: clientGone(c) },
      );
      return jsonResponse({ Id: id }, 201);
    })
    .get("/containers/:id/export", async (c) => {
      const bytes = await engine.run("container.export", { ref: named(c, "id") }, { signal: clientGone(c) });
      return streamResponse(bytes, "application/octet-stream");
    });
}

/** Docker's words. */
function demanded(path: string | undefined): string {
  if (path !== undefined && path !== "") return path;
  throw new Fault("invalid", "bad parameter: path cannot be empty");
}

function statHeader({ name, size, mode, modified, target }: PathLook): string {
  return encodePathStat({ name, size, mode: toGoMode(mode), mtime: modified, linkTarget: target });
}
