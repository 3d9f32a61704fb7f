import { pruneContainers, pruneImages, pruneNetworks, pruneVolumes } from "#client";
import { FILTER_FLAG } from "./listing.ts";
import type { Session } from "./session.ts";

type Filters = Readonly<Record<string, readonly string[]>>;

/** The flags that every prune has. */
export const PRUNE_FLAGS = {
  filter: {
    kind: FILTER_FLAG.kind,
    hint: FILTER_FLAG.hint,
    check: FILTER_FLAG.check,
    about: 'Provide filter values (e.g. "label=<key>=<value>")',
  },
  force: { kind: "bool", short: "f", about: "Do not prompt for confirmation" },
} as const;

export const SURE = "Are you sure you want to continue?";

/** Each removes what is not used, says what went, and tells how many bytes that freed. */
export async function tellPrunedContainers(session: Session, filters: Filters): Promise<number> {
  const { ContainersDeleted, SpaceReclaimed } = await pruneContainers(session.daemon, filters);
  tell(session, "Containers", ContainersDeleted);
  return SpaceReclaimed;
}

export async function tellPrunedImages(session: Session, filters: Filters): Promise<number> {
  const { ImagesDeleted, SpaceReclaimed } = await pruneImages(session.daemon, filters);
  const lines = (ImagesDeleted ?? []).map(({ Untagged, Deleted }) =>
    Untagged === undefined ? `deleted: ${Deleted}` : `untagged: ${Untagged}`,
  );
  tell(session, "Images", lines);
  return SpaceReclaimed;
}

export async function tellPrunedNetworks(session: Session, filters: Filters): Promise<number> {
  const { NetworksDeleted } = await pruneNetworks(session.daemon, filters);
  tell(session, "Networks", NetworksDeleted);
  return 0;
}

export async function tellPrunedVolumes(session: Session, filters: Filters): Promise<number> {
  const { VolumesDeleted, SpaceReclaimed } = await pruneVolumes(session.daemon, filters);
  tell(session, "Volumes", VolumesDeleted);
  return SpaceReclaimed;
}

function tell(session: Session, what: string, lines: readonly string[] | null | undefined): void {
  if (lines !== null && lines !== undefined && lines.length > 0)
    session.say(`Deleted ${what}:\n${lines.join("\n")}\n`);
}
