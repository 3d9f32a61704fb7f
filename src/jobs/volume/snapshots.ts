import { z } from "zod";
import { copyTree, sync } from "#archive";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import { noSuchVolume } from "#volume";
import type { Rooms } from "../rooms.ts";
import { type ReadingNeeds, readVolume } from "./reading.ts";

type Needs = ReadingNeeds & { readonly volumes: Pick<Rooms["volumes"], "kept"> };
type ContentNeeds = { readonly volumes: Pick<Rooms["volumes"], "find" | "kept"> };
type RestoreNeeds = { readonly volumes: Pick<Rooms["volumes"], "find" | "kept" | "replace"> };

const Name = z.string().min(1);

/** What a volume's content was kept as, oldest first. */
export const listSnapshots = (needs: ContentNeeds) =>
  defineJob({
    name: "volume.snapshots",
    input: z.object({ name: Name }),

    async run({ name }) {
      demand(needs, name);
      const found = await (await needs.volumes.kept(name)).snapshots();
      return found.map(({ name: snapshot, created }) => ({ name: snapshot, created }));
    },
  });

/** Keeps the content as it is now, under a name: the time, where none is given. */
export const makeSnapshot = (needs: Needs) =>
  defineJob({
    name: "volume.snapshot",
    input: z.object({ name: Name, snapshot: z.string(), live: z.boolean() }),

    async run({ name, snapshot, live }, { signal }) {
      demand(needs, name);
      await using source = await readVolume(needs, name, { isLive: live });
      const wanted = snapshot === "" ? new Date().toISOString().replaceAll(":", "-") : snapshot;
      const content = await needs.volumes.kept(name);
      const kept = await content.keep(wanted, async (directory) => {
        await copyTree({ from: source.path, to: directory, style: "new", signal });
        await sync(directory, signal);
      });
      return { name: kept.name, created: kept.created };
    },
  });

export const removeSnapshot = (needs: ContentNeeds) =>
  defineJob({
    name: "volume.snapshot-remove",
    input: z.object({ name: Name, snapshot: Name }),

    async run({ name, snapshot }) {
      demand(needs, name);
      await (await needs.volumes.kept(name)).forget(snapshot);
      return {};
    },
  });

/** Makes the content what it was, in one step; the snapshot stays. */
export const restoreVolume = (needs: RestoreNeeds) =>
  defineJob({
    name: "volume.restore",
    input: z.object({ name: Name, snapshot: z.string() }),

    async run({ name, snapshot }, { signal }) {
      demand(needs, name);
      const found = (await (await needs.volumes.kept(name)).snapshots()).find((one) => one.name === snapshot);
      if (found === undefined)
        throw new Fault("not_found", `No such snapshot of the volume ${name}: ${snapshot.slice(0, 255)}`);
      await needs.volumes.replace(name, async (directory) => {
        await copyTree({ from: found.path, to: directory, style: "new", signal });
        await sync(directory, signal);
      });
      return {};
    },
  });

function demand({ volumes }: ContentNeeds, name: string): void {
  if (volumes.find(name) === undefined) throw noSuchVolume(name);
}
