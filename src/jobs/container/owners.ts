import type { OwnerMap, OwnerRange } from "#container";
import { Fault } from "#errors";
import { LAST_ID, MOST_ID_RANGES } from "#host";

/** Everybody, as they are. */
const EVERYBODY: readonly OwnerRange[] = [{ onDisk: 0, seen: 0, size: LAST_ID + 1 }];

/**
 * `idmap=uids=1000-0-1#5-6-7;gids=100-0-1`: owners on disk from the first number on are seen as those from the
 * second on, as many as the third says. Podman's syntax; its `@` before a range says that the second is a number inside
 * the container's user namespace, if it has one. Whichever of the two is not named stays as it is. Throws `invalid`.
 */
export function parseOwners(text: string): OwnerMap {
  const [, , body = ""] = /^idmap(=(.*))?$/s.exec(text) ?? [];
  if (body === "") throw badOwners(text, "name the owners, as in idmap=uids=1000-0-1;gids=1000-0-1");
  const named = body.split(";").map((part) => {
    const [, kind = "", ranges = ""] = /^(uids|gids)=(.+)$/.exec(part) ?? [];
    if (kind === "") throw badOwners(text, "it is made of uids=… and gids=…, with a semicolon between");
    return [kind, ranges.split("#").map((range) => parseRange(text, range))] as const;
  });
  const kinds = new Map(named);
  if (kinds.size !== named.length) throw badOwners(text, "each of uids and gids is named once");
  return checkOwners({ uids: kinds.get("uids") ?? EVERYBODY, gids: kinds.get("gids") ?? EVERYBODY });
}

function parseRange(text: string, range: string): OwnerRange {
  const [, inside, onDisk, seen, size] = /^(@?)(\d{1,10})-(\d{1,10})-(\d{1,10})$/.exec(range) ?? [];
  if (size === undefined) throw badOwners(text, `"${range.slice(0, 60)}" is not of the form 1000-0-1`);
  const numbers = { onDisk: Number(onDisk), seen: Number(seen), size: Number(size) };
  return inside === "@" ? { ...numbers, isInside: true } : numbers;
}

/** Ranges that the kernel would take: within bounds, and none over another. Throws `invalid`. */
export function checkOwners(owners: OwnerMap): OwnerMap {
  for (const ranges of [owners.uids, owners.gids]) {
    if (ranges.length === 0 || ranges.length > MOST_ID_RANGES)
      throw badOwners("", `between one and ${MOST_ID_RANGES} ranges of users and of groups are needed`);
    for (const side of ["onDisk", "seen"] as const) checkSide(ranges, side);
  }
  return owners;
}

function checkSide(ranges: readonly OwnerRange[], side: "onDisk" | "seen"): void {
  const sorted = [...ranges].sort((one, other) => one[side] - other[side]);
  let free = 0;
  for (const range of sorted) {
    const says = `${range.onDisk}-${range.seen}-${range.size}`;
    if (range.size < 1 || range[side] < 0 || range[side] + range.size - 1 > LAST_ID)
      throw badOwners("", `the range ${says} is empty or beyond the last id, ${LAST_ID}`);
    if (range[side] < free) throw badOwners("", `the range ${says} lies over another one`);
    free = range[side] + range.size;
  }
}

/** One owner and one group on disk, seen as another pair. */
export function onePair(
  onDisk: { readonly uid: number; readonly gid: number },
  seen: { readonly uid: number; readonly gid: number },
): OwnerMap {
  return {
    uids: [{ onDisk: onDisk.uid, seen: seen.uid, size: 1 }],
    gids: [{ onDisk: onDisk.gid, seen: seen.gid, size: 1 }],
  };
}

function badOwners(text: string, reason: string): Fault {
  const what = text === "" ? "idmap" : text.slice(0, 200);
  return new Fault("invalid", `invalid mapping of owners: ${what}: ${reason}`);
}
