import type { Group } from "./tree.ts";

export const MANIFEST: Group = {
  about: "Manage Docker image manifests and manifest lists",
  commands: {
    annotate: {
      about: "Add additional information to a local image manifest",
      load: async () => (await import("./commands/manifest/annotate.ts")).manifestAnnotate,
    },
    create: {
      about: "Create a local manifest list for annotating and pushing to a registry",
      load: async () => (await import("./commands/manifest/create.ts")).manifestCreate,
    },
    inspect: {
      about: "Display an image manifest, or manifest list",
      load: async () => (await import("./commands/manifest/inspect.ts")).manifestInspect,
    },
    push: {
      about: "Push a manifest list to a repository",
      load: async () => (await import("./commands/manifest/push.ts")).manifestPush,
    },
    rm: {
      about: "Delete one or more manifest lists from local storage",
      load: async () => (await import("./commands/manifest/remove.ts")).manifestRemove,
    },
  },
};
