import type { Group } from "./tree.ts";

const networkConnect = {
  about: "Connect a container to a network",
  load: async () => (await import("./commands/network/connect.ts")).networkConnect,
};
const networkCreate = {
  about: "Create a network",
  load: async () => (await import("./commands/network/create.ts")).networkCreate,
};
const networkDisconnect = {
  about: "Disconnect a container from a network",
  load: async () => (await import("./commands/network/connect.ts")).networkDisconnect,
};
const networkDoctor = {
  about: "Say what this host's network lacks, what that costs, and what to do",
  load: async () => (await import("./commands/network/doctor.ts")).networkDoctor,
};
const networkList = {
  about: "List networks",
  load: async () => (await import("./commands/network/list.ts")).networkList,
};
const networkPrune = {
  about: "Remove all unused networks",
  load: async () => (await import("./commands/network/prune.ts")).networkPrune,
};
const networkRemove = {
  about: "Remove one or more networks",
  load: async () => (await import("./commands/network/remove.ts")).networkRemove,
};
const networkInspect = {
  about: "Display detailed information on one or more networks",
  load: async () => (await import("./commands/inspect.ts")).networkInspect,
};

/** Commands on networks. */
export const NETWORK: Group = {
  about: "Manage networks",
  commands: {
    connect: networkConnect,
    create: networkCreate,
    disconnect: networkDisconnect,
    doctor: networkDoctor,
    inspect: networkInspect,
    ls: networkList,
    list: networkList,
    prune: networkPrune,
    rm: networkRemove,
    remove: networkRemove,
  },
};
