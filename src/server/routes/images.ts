import { type Context, Hono } from "hono";
import {
  FiltersQuery,
  ImageListQuery,
  ImageLoadQuery,
  ImageRemoveQuery,
  ImageTagQuery,
  PullQuery,
  PushQuery,
} from "#api";
import { Fault } from "#errors";
import { clientGone, type JobRunner, type ServerEnv } from "../environment.ts";
import { emptyResponse, jsonResponse } from "../json.ts";
import { progressResponse } from "../progress-stream.ts";
import { bodyStream } from "../request-body.ts";
import { streamResponse } from "../stream.ts";
import { IMAGE_FILTERS, IMAGE_PRUNE_FILTERS, parseFilters } from "../translate/filters.ts";
import { toImageHistory, toImageInspect, toImageSummary, toImagesRemoved } from "../translate/image.ts";
import { platformText } from "../translate/platform.ts";
import { isPinned, joinReference } from "../translate/reference.ts";
import { registryEnvironment } from "../translate/registry-auth.ts";
import { named, query } from "../validate.ts";

export function imageRoutes(engine: JobRunner): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .post("/images/create", async (c) => {
      const { fromImage = "", fromSrc = "", tag = "", platform = "" } = query(c, PullQuery);
      if (fromSrc !== "") return imported(engine, c);
      if (fromImage === "") throw new Fault("invalid", "Cannot pull: fromImage must name an image");
      const reference = joinReference(fromImage.replace(/:$/, ""), tag);
      const input = { reference, allTags: !isPinned(reference), ...(platform !== "" && { platform }) };
      const environment = registryEnvironment(c.req.header("x-registry-auth"));
      const signal = clientGone(c);
      return progressResponse((onProgress) =>
        engine.run("image.pull", input, { signal, environment, onProgress }),
      );
    })
    .get("/images/get", (c) => saved(engine, c, c.req.queries("names") ?? []))
    .get("/images/:name{.+}/get", (c) => saved(engine, c, [named(c, "name")]))
    .post("/images/load", async (c) => {
      const { quiet } = query(c, ImageLoadQuery);
      const platform = askedPlatform(c);
      const input = { quiet, ...(platform !== undefined && { platform }) };
      const content = bodyStream(c);
      const streams = content === undefined ? {} : { input: content };
      const signal = clientGone(c);
      return progressResponse((onProgress) =>
        engine.run("image.load", input, { signal, onProgress, streams }),
      );
    })
    .post("/images/:name{.+}/push", async (c) => {
      const { tag = "" } = query(c, PushQuery);
      const reference = joinReference(named(c, "name"), tag);
      const environment = registryEnvironment(c.req.header("x-registry-auth"));
      const signal = clientGone(c);
      return progressResponse((onProgress) =>
        engine.run("image.push", { reference }, { signal, environment, onProgress }),
      );
    })
    .get("/images/json", async (c) => {
      const { all, filters, filter, "shared-size": sharedSize } = query(c, ImageListQuery);
      const wanted = {
        ...parseFilters(filters, IMAGE_FILTERS),
        ...(filter !== undefined && filter !== "" && { reference: [filter] }),
      };
      const [images, usage] = await Promise.all([
        engine.run("image.list", { all, filters: wanted }),
        sharedSize ? engine.run("image.usage", {}, { signal: clientGone(c) }) : undefined,
      ]);
      const shared = new Map(usage?.images.map(({ image, sharedBytes }) => [image.id, sharedBytes]));
      const version = c.get("version");
      return jsonResponse(
        images.map((image) => toImageSummary(image, { version, sharedBytes: shared.get(image.id) })),
      );
    })
    .post("/images/prune", async (c) => {
      const filters = parseFilters(query(c, FiltersQuery).filters, IMAGE_PRUNE_FILTERS);
      const { reclaimedBytes, ...removed } = await engine.run("image.prune", { filters });
      return jsonResponse({ ImagesDeleted: toImagesRemoved(removed), SpaceReclaimed: reclaimedBytes });
    })
    .get("/images/:name{.+}/json", async (c) => {
      const image = await engine.run("image.inspect", { ref: named(c, "name"), ...platformOf(c) });
      return jsonResponse(toImageInspect(image, c.get("version")));
    })
    .get("/images/:name{.+}/history", async (c) => {
      const entries = await engine.run("image.history", { ref: named(c, "name"), ...platformOf(c) });
      return jsonResponse(entries.map(toImageHistory));
    })
    .post("/images/:name{.+}/tag", async (c) => {
      const { repo = "", tag = "" } = query(c, ImageTagQuery);
      if (repo === "") throw new Fault("invalid", "Cannot tag the image: repo must not be empty");
      await engine.run("image.tag", { ref: named(c, "name"), repository: repo, tag: tag || "latest" });
      return emptyResponse(201);
    })
    .delete("/images/:name{.+}", async (c) => {
      const { force, noprune } = query(c, ImageRemoveQuery);
      const input = { ref: named(c, "name"), force, prune: !noprune, ...platformOf(c, "platforms") };
      const removed = await engine.run("image.remove", input);
      return jsonResponse(toImagesRemoved(removed));
    });
}

async function saved(engine: JobRunner, c: Context<ServerEnv>, names: readonly string[]): Promise<Response> {
  const platform = askedPlatform(c);
  const input = { names: [...names], ...(platform !== undefined && { platform }) };
  const bytes = await engine.run("image.save", input, { signal: clientGone(c) });
  return streamResponse(bytes, "application/x-tar");
}

/** One at most: an image here is of one platform. */
function askedPlatform(c: Context<ServerEnv>, parameter = "platform"): string | undefined {
  const [first, second] = c.req.queries(parameter) ?? [];
  if (second !== undefined)
    throw new Fault("invalid", "Cannot take more than one platform: an image here is of one platform");
  return first === undefined || first === "" ? undefined : platformText(first);
}

function platformOf(c: Context<ServerEnv>, parameter?: string): { readonly platform?: string } {
  const platform = askedPlatform(c, parameter);
  return platform === undefined ? {} : { platform };
}

function imported(engine: JobRunner, c: Context<ServerEnv>): Promise<Response> {
  const { fromSrc: source = "", repo = "", tag = "", message = "", platform = "" } = query(c, PullQuery);
  const changes = c.req.queries("changes") ?? [];
  const input = { source, repository: repo, tag, message, platform, changes };
  const content = bodyStream(c);
  const streams = content === undefined ? {} : { input: content };
  const signal = clientGone(c);
  return progressResponse((onProgress) => engine.run("image.import", input, { signal, onProgress, streams }));
}
