import type { Group, Leaf } from "./tree.ts";

const checkpoints = () => import("./commands/checkpoint.ts");

export const build: Leaf = {
  about: "Build an image from a Dockerfile (not supported by this version)",
  load: async () => (await import("./commands/build.ts")).build,
};

export const BUILDER: Group = {
  about: "Manage builds",
  commands: {
    build,
    prune: {
      about: "Remove build cache",
      load: async () => (await import("./commands/builder/prune.ts")).builderPrune,
    },
  },
};

const listed: Leaf = {
  about: "List checkpoints for a container",
  load: async () => (await checkpoints()).checkpointList,
};
const removed: Leaf = {
  about: "Remove a checkpoint",
  load: async () => (await checkpoints()).checkpointRemove,
};

export const CHECKPOINT: Group = {
  about: "Manage checkpoints",
  commands: {
    create: {
      about: "Create a checkpoint from a running container",
      load: async () => (await checkpoints()).checkpointCreate,
    },
    ls: listed,
    list: listed,
    rm: removed,
    remove: removed,
  },
};
