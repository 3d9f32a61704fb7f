import type { ProgressLine } from "#api";
import type { Progress } from "#engine";
import { problemOf } from "../problem.ts";

/** One line of Docker's JSON progress stream. Source: Docker Engine API, ImageCreate; moby, jsonmessage. */
export function toProgressLine(progress: Progress): ProgressLine {
  if (progress.kind === "aux") return { aux: progress.aux };
  if (progress.kind === "text") return { stream: progress.text };
  const { status, id, current, total } = progress;
  if (id === undefined) return { status };
  if (current === undefined && total === undefined) return { status, progressDetail: {}, id };
  return {
    status,
    progressDetail: { ...(current !== undefined && { current }), ...(total !== undefined && { total }) },
    id,
  };
}

/** A failure after the reply has begun, when no status can tell of it any more. */
export function toProgressError(thrown: unknown): ProgressLine {
  const { message } = problemOf(thrown);
  return { errorDetail: { message }, error: message };
}
