import type { Group } from "./tree.ts";

const list = {
  about: "List contexts",
  load: async () => (await import("./commands/context/list.ts")).contextList,
};
const remove = {
  about: "Remove one or more contexts",
  load: async () => (await import("./commands/context/remove.ts")).contextRemove,
};

export const CONTEXT: Group = {
  about: "Manage contexts",
  commands: {
    create: {
      about: "Create a context",
      load: async () => (await import("./commands/context/create.ts")).contextCreate,
    },
    export: {
      about: "Export a context to a tar archive FILE or a tar stream on STDOUT",
      load: async () => (await import("./commands/context/export.ts")).contextExport,
    },
    import: {
      about: "Import a context from a tar file",
      load: async () => (await import("./commands/context/export.ts")).contextImport,
    },
    inspect: {
      about: "Display detailed information on one or more contexts",
      load: async () => (await import("./commands/context/inspect.ts")).contextInspect,
    },
    ls: list,
    list,
    rm: remove,
    remove,
    show: {
      about: "Print the name of the current context",
      load: async () => (await import("./commands/context/use.ts")).contextShow,
    },
    update: {
      about: "Update a context",
      load: async () => (await import("./commands/context/create.ts")).contextUpdate,
    },
    use: {
      about: "Set the current context",
      load: async () => (await import("./commands/context/use.ts")).contextUse,
    },
  },
};
