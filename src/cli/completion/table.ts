import type { Source } from "./sources.ts";

/** What may stand where a word is expected: names of a kind, or these very words. */
export type Offer = Source | readonly string[];

export interface Operands {
  /** By position; the last one counts for all that follow where `isMany`. */
  readonly offers: readonly (readonly Offer[])[];
  readonly isMany: boolean;
}

const one = (...offers: Offer[]): Operands => ({ offers: [offers], isMany: false });
const many = (...offers: Offer[]): Operands => ({ offers: [offers], isMany: true });

/** By the command's name, with its group where it has no short spelling. */
export const OPERANDS: Readonly<Record<string, Operands>> = {
  attach: one("running"),
  "checkpoint create": one("running"),
  "checkpoint ls": one("container"),
  "checkpoint rm": one("container"),
  commit: one("container"),
  completion: one(["bash", "zsh", "fish"]),
  "container inspect": many("container"),
  "context export": one("context"),
  "context inspect": many("context"),
  "context rm": many("context"),
  "context update": one("context"),
  "context use": one("context"),
  create: one("image"),
  diff: one("container"),
  exec: one("running"),
  export: one("container"),
  history: one("image"),
  "image inspect": many("image"),
  inspect: many("container", "image", "network", "volume"),
  kill: many("running"),
  logs: one("container"),
  "network connect": { offers: [["network"], ["container"]], isMany: false },
  "network disconnect": { offers: [["network"], ["container"]], isMany: false },
  "network inspect": many("network"),
  "network rm": many("network"),
  pause: many("running"),
  port: one("running"),
  push: one("image"),
  rename: one("container"),
  restart: many("container"),
  rm: many("container"),
  rmi: many("image"),
  run: one("image"),
  save: many("image"),
  start: many("stopped"),
  stats: many("running"),
  stop: many("running"),
  tag: { offers: [["image"], ["image"]], isMany: false },
  top: one("running"),
  unpause: many("paused"),
  update: many("container"),
  "volume clone": one("volume"),
  "volume export": one("volume"),
  "volume import": one("volume"),
  "volume inspect": many("volume"),
  "volume restore": one("volume"),
  "volume rm": many("volume"),
  wait: many("running"),
};

const SIGNALS = "SIGHUP SIGINT SIGKILL SIGQUIT SIGSTOP SIGTERM SIGUSR1 SIGUSR2".split(" ");

/** Values of flags that have the same name, and take the same, wherever they are. */
export const VALUES: Readonly<Record<string, readonly Offer[]>> = {
  cgroupns: [["host", "private"]],
  context: ["context"],
  format: [["json", "table"]],
  from: ["context"],
  ipc: [["host", "none", "private", "shareable"]],
  link: ["container"],
  "log-driver": [["journald", "json-file", "local", "none", "syslog"]],
  "log-level": [["debug", "error", "fatal", "info", "warn"]],
  network: ["network"],
  pid: [["host"]],
  pull: [["always", "missing", "never"]],
  restart: [["always", "no", "on-failure", "unless-stopped"]],
  signal: [SIGNALS],
  "stop-signal": [SIGNALS],
  type: [["container", "image", "network", "volume"]],
  userns: [["host"]],
  uts: [["host"]],
  "volumes-from": ["container"],
};

/** Flags whose value is a path: then the shell knows what to offer. */
export const PATH_FLAGS = new Set(
  "cidfile config device env-file input label-file output tlscacert tlscert tlskey volume".split(" "),
);

const PRUNE = ["label", "label!", "until"];

/** Keys of `--filter`, by command. */
export const FILTERS: Readonly<Record<string, readonly string[]>> = {
  "builder prune": ["until"],
  "container prune": PRUNE,
  events: "container daemon event image label network plugin scope type volume".split(" "),
  "image prune": PRUNE,
  images: "before dangling label reference since until".split(" "),
  "network ls": "dangling driver id label name scope type".split(" "),
  "network prune": PRUNE,
  ps: "ancestor before exited expose health id label name network publish since status volume".split(" "),
  search: ["is-official", "stars"],
  "system prune": PRUNE,
  "volume ls": "dangling driver label name".split(" "),
  "volume prune": ["all", "label", "label!"],
};

/** Values of filters that have a few only. */
export const FILTER_VALUES: Readonly<Record<string, readonly Offer[]>> = {
  ancestor: ["image"],
  container: ["container"],
  dangling: [["false", "true"]],
  health: [["healthy", "none", "starting", "unhealthy"]],
  network: ["network"],
  status: [["created", "dead", "exited", "paused", "removing", "restarting", "running"]],
  volume: ["volume"],
};
