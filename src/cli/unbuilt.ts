const NO_SWARM = "swarms are not supported; this engine is of one host";

/** docker's commands that are not built, each with what is missing and what to do instead. Where a plugin serves one, it is run. */
export const UNBUILT: Readonly<Record<string, string>> = {
  build:
    "Cannot build an image: the builder is not part of this version; build elsewhere, then pull or load the result",
  buildx:
    "Cannot build with buildx: the builder is not part of this version, and docker's plugin docker-buildx is not installed; build elsewhere, then pull or load the result",
  compose:
    "Cannot run compose: docker's plugin docker-compose is not installed; put it into ~/.docker/cli-plugins, and it will be used",
  config: `Cannot manage configs: ${NO_SWARM}; mount a file with --mount type=bind,readonly`,
  node: `Cannot manage nodes: ${NO_SWARM}; name other hosts with 'context create'`,
  plugin:
    "Cannot manage plugins: those that are images are not supported; one that is a program of this host is found by its socket in /run/docker/plugins",
  secret: `Cannot manage secrets: ${NO_SWARM}; mount a file with --mount type=bind,readonly`,
  service: `Cannot manage services: ${NO_SWARM}; 'run -d --restart always' keeps a container running`,
  stack: `Cannot manage stacks: ${NO_SWARM}; docker's plugin docker-compose starts the same files here`,
  swarm: `Cannot manage a swarm: ${NO_SWARM}; overlay networks over etcd connect containers of several`,
  trust:
    "Cannot manage trust: signatures of Docker Content Trust are not supported; name an image by its digest, as in NAME@sha256:…",
};

/** The sentence for one of them; undefined for every other word. */
export const unbuilt = (name: string): string | undefined =>
  Object.hasOwn(UNBUILT, name) ? UNBUILT[name] : undefined;

/** Commands that no shell offers: besides those above, groups that another daemon may serve and this one refuses. */
export const isOffered = (name: string): boolean =>
  unbuilt(name) === undefined && name !== "builder" && name !== "checkpoint";
