import {
  type ContainerSummary,
  listContainers,
  listImages,
  listNetworks,
  listVolumes,
  type Transport,
} from "#client";
import { ContextStore, DEFAULT_CONTEXT } from "../contexts/store.ts";
import type { Session } from "../session.ts";

/** Kinds of names that can be asked for, of containers by their state too. */
export type Source =
  | "container"
  | "running"
  | "paused"
  | "stopped"
  | "image"
  | "network"
  | "volume"
  | "context";

const STATES: Readonly<Record<string, readonly string[] | undefined>> = {
  running: ["running"],
  paused: ["paused"],
  stopped: ["created", "exited"],
};

/** Names from the daemon; those of contexts from their store. */
export async function namesOf(session: Session, source: Source): Promise<readonly string[]> {
  switch (source) {
    case "image":
      return images(session.daemon);
    case "network":
      return (await listNetworks(session.daemon)).map(({ Name }) => Name);
    case "volume":
      return ((await listVolumes(session.daemon)).Volumes ?? []).map(({ Name }) => Name);
    case "context":
      return [DEFAULT_CONTEXT, ...new ContextStore(session.env).names()];
    default:
      return containers(session.daemon, STATES[source]);
  }
}

async function containers(daemon: Transport, states: readonly string[] | undefined): Promise<string[]> {
  const found = await listContainers(daemon, { all: true });
  return found
    .filter(({ State }) => states === undefined || states.includes(State))
    .flatMap(namesOfContainer);
}

/** Without the ones that links gave it. */
const namesOfContainer = ({ Names }: ContainerSummary) =>
  (Names ?? []).map((name) => name.replace(/^\//, "")).filter((name) => !name.includes("/"));

/** `busybox:latest` is known by `busybox` too. */
async function images(daemon: Transport): Promise<string[]> {
  const tags = (await listImages(daemon, {})).flatMap(({ RepoTags }) => RepoTags ?? []);
  const named = tags.filter((tag) => !tag.startsWith("<none>"));
  return [
    ...named,
    ...named.flatMap((tag) => (tag.endsWith(":latest") ? [tag.slice(0, -":latest".length)] : [])),
  ];
}
