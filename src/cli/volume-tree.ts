import type { Group } from "./tree.ts";

const content = () => import("./commands/volume/content.ts");
const create = {
  about: "Create a volume",
  load: async () => (await import("./commands/volume/create.ts")).volumeCreate,
};
const inspect = {
  about: "Display detailed information on one or more volumes",
  load: async () => (await import("./commands/inspect.ts")).volumeInspect,
};
const list = {
  about: "List volumes",
  load: async () => (await import("./commands/volume/list.ts")).volumeList,
};
const prune = {
  about: "Remove unused local volumes",
  load: async () => (await import("./commands/volume/remove.ts")).volumePrune,
};
const remove = {
  about: "Remove one or more volumes",
  load: async () => (await import("./commands/volume/remove.ts")).volumeRemove,
};
const update = {
  about: "Update a volume (cluster volumes only)",
  load: async () => (await import("./commands/volume/update.ts")).volumeUpdate,
};
const clone = {
  about: "Create a volume with the content of another",
  load: async () => (await content()).volumeClone,
};
const exported = {
  about: "Export a volume's content as a tar archive",
  load: async () => (await content()).volumeExport,
};
const imported = {
  about: "Put a tar archive in the place of a volume's content, all of it or nothing",
  load: async () => (await content()).volumeImport,
};
const restore = {
  about: "Make a volume's content what it was when a snapshot was taken",
  load: async () => (await content()).volumeRestore,
};
const snapshot = {
  about: "Keep a volume's content as it is now, list what is kept, remove it",
  load: async () => (await import("./commands/volume/snapshot.ts")).volumeSnapshot,
};

export const VOLUME: Group = {
  about: "Manage volumes",
  commands: {
    clone,
    create,
    export: exported,
    import: imported,
    inspect,
    ls: list,
    list,
    prune,
    restore,
    rm: remove,
    remove,
    snapshot,
    update,
  },
};
