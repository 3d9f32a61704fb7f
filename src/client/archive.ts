import { Fault } from "#errors";
import { segment } from "./filters.ts";
import { valuesOf } from "./lines.ts";
import type { Reply, Transport } from "./transport.ts";
import type { PullProgress } from "./types.ts";

/** What is at a path of a container. `mode` has the bits of Go's FileMode. */
export interface PathStat {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly mtime: string;
  readonly linkTarget: string;
}

const HEADER = "x-docker-container-path-stat";
const has = ({ mode }: PathStat, bit: number) => Math.floor(mode / 2 ** bit) % 2 === 1;

export const isDirectory = (stat: PathStat) => has(stat, 31);
export const isLink = (stat: PathStat) => has(stat, 27);
/** What is odd about something that is neither a file nor a directory nor a link. Source: Go's io/fs, FileMode. */
export function isOdd(stat: PathStat): string | undefined {
  if (has(stat, 26)) return "got a device";
  return has(stat, 19) ? "got an irregular file" : undefined;
}

const at = (ref: string, verb: string) => `/containers/${segment(ref)}/${verb}`;

/** Throws the daemon's Fault; a reply to HEAD has no words, so that `not_found` may mean file or container. */
export async function statPath(transport: Transport, ref: string, path: string): Promise<PathStat> {
  const reply = await transport.call("HEAD", at(ref, "archive"), { query: { path } });
  return statOf(reply);
}

/** A file or folder of a container as a tar archive. */
export async function getArchive(
  transport: Transport,
  ref: string,
  path: string,
): Promise<{ readonly stat: PathStat; readonly body: Reply["body"] }> {
  const reply = await transport.call("GET", at(ref, "archive"), { query: { path } });
  return { stat: statOf(reply), body: reply.body };
}

export async function putArchive(
  transport: Transport,
  ref: string,
  put: { readonly path: string; readonly stream: AsyncIterable<Uint8Array>; readonly copiesOwner: boolean },
): Promise<void> {
  const reply = await transport.upload("PUT", at(ref, "archive"), {
    query: {
      path: put.path,
      noOverwriteDirNonDir: "true",
      copyUIDGID: put.copiesOwner ? "true" : undefined,
    },
    fields: { "Content-Type": "application/x-tar" },
    stream: put.stream,
  });
  for await (const _ of reply.body);
}

/** The container's root, without what is mounted in it, as a tar archive. */
export async function exportContainer(transport: Transport, ref: string): Promise<Reply["body"]> {
  return (await transport.call("GET", at(ref, "export"))).body;
}

export interface ImageChanges {
  readonly repository: string;
  readonly tag: string;
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
}

/** Makes an image of a container's changes; tells its id. */
export async function commitContainer(
  transport: Transport,
  ref: string,
  commit: ImageChanges & { readonly author: string; readonly comment: string; readonly pause: boolean },
): Promise<string> {
  const { repository, tag, author, comment, pause, changes } = commit;
  const { Id } = await transport.json<{ Id: string }>("POST", "/commit", {
    query: {
      container: ref,
      repo: repository || undefined,
      tag: tag || undefined,
      author: author || undefined,
      comment: comment || undefined,
      pause: pause ? 1 : 0,
      changes,
    },
    body: {},
  });
  return Id;
}

/** Makes an image of an archive. Progress as it comes; a failure arrives as a value with `error`. */
export async function* importImage(
  transport: Transport,
  image: ImageChanges & {
    /** `-` for the stream, else an address. */
    readonly source: string;
    readonly message: string;
    readonly platform: string;
    readonly stream: AsyncIterable<Uint8Array>;
  },
): AsyncGenerator<PullProgress> {
  const { source, repository, tag, message, platform, changes, stream } = image;
  const reply = await transport.upload("POST", "/images/create", {
    query: {
      fromSrc: source,
      repo: repository || undefined,
      tag: tag || undefined,
      message: message || undefined,
      platform: platform || undefined,
      changes,
    },
    fields: { "Content-Type": "application/x-tar" },
    stream,
  });
  yield* valuesOf<PullProgress>(reply.body);
}

/** Several images as one archive. `platform` is JSON of os, architecture and variant. */
export async function saveImages(
  transport: Transport,
  names: readonly string[],
  { platform }: { readonly platform?: string },
): Promise<Reply["body"]> {
  return (await transport.call("GET", "/images/get", { query: { names, platform } })).body;
}

/** Images out of an archive. Progress as it comes; a failure arrives as a value with `error`. */
export async function* loadImages(
  transport: Transport,
  load: { readonly stream: AsyncIterable<Uint8Array>; readonly quiet: boolean; readonly platform?: string },
): AsyncGenerator<PullProgress> {
  const reply = await transport.upload("POST", "/images/load", {
    query: { quiet: load.quiet ? 1 : 0, platform: load.platform },
    fields: { "Content-Type": "application/x-tar" },
    stream: load.stream,
  });
  yield* valuesOf<PullProgress>(reply.body);
}

function statOf({ fields }: Reply): PathStat {
  try {
    return JSON.parse(Buffer.from(fields.get(HEADER) ?? "", "base64").toString());
  } catch (cause) {
    throw new Fault("internal", "Cannot understand the daemon's reply: it does not say what the path is", {
      cause,
    });
  }
}
