import { readdirSync, readFileSync } from "node:fs";
import type { JobRecord } from "#engine";
import type { SystemInfo } from "#jobs";
import { Histogram } from "./histogram.ts";

/** Jobs that Docker's daemon times, by its name of the figure and of the action. Source: moby, daemon/metrics.go. */
const TIMED: Readonly<Record<string, readonly [figure: string, action: string]>> = {
  "container.changes": ["container_actions", "changes"],
  "container.commit": ["container_actions", "commit"],
  "container.create": ["container_actions", "create"],
  "container.remove": ["container_actions", "delete"],
  "container.start": ["container_actions", "start"],
  "image.remove": ["image_actions", "delete"],
  "image.pull": ["image_actions", "pull"],
  "image.push": ["image_actions", "push"],
  "image.load": ["image_actions", "load"],
  "image.save": ["image_actions", "save"],
  "network.create": ["network_actions", "create"],
  "network.remove": ["network_actions", "delete"],
  "network.connect": ["network_actions", "connect"],
  "network.disconnect": ["network_actions", "disconnect"],
};

const HELP: Readonly<Record<string, string>> = {
  container_actions: "The number of seconds it takes to process each container action",
  image_actions: "The number of seconds it takes to process each image action",
  network_actions: "The number of seconds it takes to process each network action",
};

/** What is asked for at each look. */
export interface Look {
  readonly info: Pick<
    SystemInfo,
    | "architecture"
    | "containers"
    | "cpus"
    | "driver"
    | "eventListeners"
    | "id"
    | "kernelVersion"
    | "memoryBytes"
    | "operatingSystem"
    | "version"
  >;
  /** Events since the daemon's start. */
  readonly events: number;
}

/** Counts how long actions take, and writes all figures as Prometheus reads them (text format 0.0.4). */
export class Figures {
  readonly #actions = new Map<string, Map<string, Histogram>>();

  /** Of a job that has ended well: what failed says nothing of how long it takes. */
  note({ name, status, startedAt, endedAt }: JobRecord): void {
    const [figure, action] = TIMED[name] ?? [];
    if (figure === undefined || action === undefined || endedAt === undefined || status !== "done") return;
    const actions = this.#actions.get(figure) ?? new Map<string, Histogram>();
    this.#actions.set(figure, actions);
    const histogram = actions.get(action) ?? new Histogram();
    actions.set(action, histogram);
    histogram.observe((endedAt - startedAt) / 1000);
  }

  text(look: Look): string {
    return `${[...this.#timed(), ...engineLines(look), ...processLines()].join("\n")}\n`;
  }

  *#timed(): Generator<string> {
    for (const [figure, actions] of this.#actions) {
      const name = `engine_daemon_${figure}_seconds`;
      yield* heading(name, "histogram", HELP[figure] ?? "");
      for (const [action, histogram] of actions) yield* histogram.lines(name, `action="${action}"`);
    }
  }
}

const heading = (name: string, type: string, help: string) => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
];
const one = (name: string, type: string, help: string, value: number) => [
  ...heading(name, type, help),
  `${name} ${value}`,
];
const quoted = (text: string) => JSON.stringify(text.replace(/[^\x20-\x7e]/g, "?"));

function engineLines({ info, events }: Look): readonly string[] {
  const { containers } = info;
  const facts = {
    architecture: info.architecture,
    daemon_id: info.id,
    graphdriver: info.driver,
    kernel: info.kernelVersion,
    os: info.operatingSystem,
    version: info.version,
  };
  const labels = Object.entries(facts).map(([key, value]) => `${key}=${quoted(value)}`);
  const states = "engine_daemon_container_states_containers";
  return [
    ...heading(states, "gauge", "The count of containers in various states"),
    ...Object.entries(containers).map(([state, count]) => `${states}{state="${state}"} ${count}`),
    ...heading(
      "engine_daemon_engine_info",
      "gauge",
      "The information related to the engine and the OS it is running on",
    ),
    `engine_daemon_engine_info{${labels.join(",")}} 1`,
    ...one(
      "engine_daemon_engine_cpus_cpus",
      "gauge",
      "The number of cpus that the host system of the engine has",
      info.cpus,
    ),
    ...one(
      "engine_daemon_engine_memory_bytes",
      "gauge",
      "The number of bytes of memory that the host system of the engine has",
      info.memoryBytes,
    ),
    ...one("engine_daemon_events_total", "counter", "The number of events logged", events),
    ...one(
      "engine_daemon_events_subscribers_total",
      "gauge",
      "The number of current subscribers to events",
      info.eventListeners,
    ),
  ];
}

/** Of the daemon itself. Source: Prometheus, "Writing client libraries", process metrics. */
function processLines(): readonly string[] {
  const { user, system } = process.cpuUsage();
  const started = Date.now() / 1000 - process.uptime();
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  return [
    ...one(
      "process_cpu_seconds_total",
      "counter",
      "Total user and system CPU time spent in seconds.",
      (user + system) / 1e6,
    ),
    ...one(
      "process_open_fds",
      "gauge",
      "Number of open file descriptors.",
      readdirSync("/proc/self/fd").length,
    ),
    ...(limit === undefined
      ? []
      : one("process_max_fds", "gauge", "Maximum number of open file descriptors.", Number(limit))),
    ...one(
      "process_resident_memory_bytes",
      "gauge",
      "Resident memory size in bytes.",
      process.memoryUsage.rss(),
    ),
    ...one(
      "process_start_time_seconds",
      "gauge",
      "Start time of the process since unix epoch in seconds.",
      started,
    ),
  ];
}
