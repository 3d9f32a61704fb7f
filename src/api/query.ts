import { z } from "zod";

/** Docker's reading of a truth value in a query: anything but these words is true. */
const FALSE = new Set(["", "0", "no", "false", "none"]);

/** Absent is false. */
export const QueryFlag = z
  .string()
  .optional()
  .transform((text) => !FALSE.has((text ?? "").trim().toLowerCase()));

/** Absent stays absent, so that a default can be told from a given value. */
export const OptionalQueryFlag = z
  .string()
  .optional()
  .transform((text) => (text === undefined ? undefined : !FALSE.has(text.trim().toLowerCase())));

export const QueryInteger = z
  .string()
  .optional()
  .refine(
    (text) => text === undefined || text === "" || /^[+-]?\d{1,15}$/.test(text),
    "expected a whole number",
  )
  .transform((text) => (text === undefined || text === "" ? undefined : Number(text)));

export const QueryText = z.string().optional();

/** `seconds` or `seconds.fraction` since the epoch, into nanoseconds. 0 and nothing are "not given". */
export const QueryTime = z
  .string()
  .optional()
  .refine(
    (text) => text === undefined || text === "" || /^-?\d{1,12}(\.\d{0,9})?$/.test(text),
    "expected seconds since 1970, with at most nine decimals",
  )
  .transform((text) => {
    const [, sign, seconds = "0", fraction = ""] = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text ?? "") ?? [];
    const nanoseconds = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0").slice(0, 9));
    return nanoseconds === 0n ? undefined : sign === "-" ? -nanoseconds : nanoseconds;
  });

export const CreateQuery = z.object({ name: QueryText, platform: QueryText });
export const ListQuery = z.object({
  all: QueryFlag,
  limit: QueryInteger,
  size: QueryFlag,
  since: QueryText,
  before: QueryText,
  filters: QueryText,
});
export const FiltersQuery = z.object({ filters: QueryText });
export const SizeQuery = z.object({ size: QueryFlag });
export const StopQuery = z.object({ t: QueryInteger, signal: QueryText });
export const StartQuery = z.object({ checkpoint: QueryText, detachKeys: QueryText });
export const KillQuery = z.object({ signal: QueryText });
export const RemoveQuery = z.object({ v: QueryFlag, force: QueryFlag, link: QueryFlag });
export const RenameQuery = z.object({ name: QueryText });
export const ResizeQuery = z.object({ h: QueryInteger, w: QueryInteger });
export const TopQuery = z.object({ ps_args: QueryText });
export const StatsQuery = z.object({ stream: OptionalQueryFlag, "one-shot": QueryFlag });
export const WaitQuery = z.object({ condition: QueryText });
export const AttachQuery = z.object({
  detachKeys: QueryText,
  logs: QueryFlag,
  stream: QueryFlag,
  stdin: QueryFlag,
  stdout: QueryFlag,
  stderr: QueryFlag,
});

/** Of POST /bunker/containers/run: of a create and of a wait. */
export const RunQuery = CreateQuery.extend({ condition: QueryText });
export const LogsQuery = z.object({
  follow: QueryFlag,
  stdout: QueryFlag,
  stderr: QueryFlag,
  since: QueryTime,
  until: QueryTime,
  timestamps: QueryFlag,
  details: QueryFlag,
  tail: QueryText,
});
export const CommitQuery = z.object({
  container: QueryText,
  repo: QueryText,
  tag: QueryText,
  comment: QueryText,
  author: QueryText,
  pause: OptionalQueryFlag,
});
export const ArchiveQuery = z.object({ path: QueryText });
export const ArchivePutQuery = z.object({
  path: QueryText,
  noOverwriteDirNonDir: QueryFlag,
  copyUIDGID: QueryFlag,
});
export const EventsQuery = z.object({ since: QueryTime, until: QueryTime, filters: QueryText });
export const PullQuery = z.object({
  fromImage: QueryText,
  fromSrc: QueryText,
  repo: QueryText,
  message: QueryText,
  tag: QueryText,
  platform: QueryText,
});
export const SearchQuery = z.object({ term: QueryText, limit: QueryInteger, filters: QueryText });
export const PushQuery = z.object({ tag: QueryText, platform: QueryText });
export const ImageLoadQuery = z.object({ quiet: QueryFlag, platform: QueryText });
export const DiskUsageQuery = z.object({ verbose: QueryFlag });
export const ImageListQuery = z.object({
  all: QueryFlag,
  filters: QueryText,
  filter: QueryText,
  "shared-size": QueryFlag,
});
export const ImageTagQuery = z.object({ repo: QueryText, tag: QueryText });
export const ImageRemoveQuery = z.object({ force: QueryFlag, noprune: QueryFlag });
export const VolumeReadQuery = z.object({ live: QueryFlag });
export const VolumeRemoveQuery = z.object({ force: QueryFlag });
