import type { Container } from "#container";
import { didYouMean, Fault } from "#errors";
import { checkFilters, fits, flag, matches, matchesLabels } from "../filters.ts";
import type { Rooms } from "../rooms.ts";
import type { ContainerView, Filters } from "../types.ts";
import { parsePortKey } from "./ports.ts";

/** Source: Docker Engine API, GET /containers/json, `filters`. */
const KNOWN = [
  "ancestor",
  "before",
  "expose",
  "exited",
  "health",
  "id",
  "isolation",
  "is-task",
  "label",
  "name",
  "network",
  "publish",
  "since",
  "status",
  "volume",
];
const STATUSES = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const HEALTHS = ["starting", "healthy", "unhealthy", "none"];
const RUNNING = ["running", "paused", "restarting"];

interface Needs {
  readonly containers: Pick<Rooms["containers"], "find">;
  readonly images: Pick<Rooms["graph"]["images"], "find">;
}

/** Decides which containers a list shows, by their records alone. Throws `invalid` for unknown keys and values. */
export function recordFilter(
  needs: Needs,
  filters: Filters,
  all: boolean,
): (container: Container) => boolean {
  checkFilters(filters, KNOWN);
  const exitCodes = numbers(filters);
  const between = betweenOthers(needs, filters);
  const ancestors = (filters.ancestor ?? []).map((name) => needs.images.find(name)?.id);
  check(filters, "status", STATUSES);
  check(filters, "health", HEALTHS);
  const isAll = all || filters.status !== undefined;
  if (flag(filters, "is-task") === true) return () => false;
  return (container) =>
    (isAll || RUNNING.includes(container.state.status)) &&
    matches(filters, "id", (value) => fits(value, container.id)) &&
    matches(filters, "name", (value) => fits(value, container.name) || fits(value, `/${container.name}`)) &&
    matches(filters, "status", (value) => value === container.state.status) &&
    matches(filters, "health", (value) => value === (container.state.health?.status ?? "none")) &&
    matchesLabels(filters, container.effective.labels) &&
    (exitCodes.length === 0 || hasExited(container, exitCodes)) &&
    (ancestors.length === 0 || ancestors.some((id) => id === container.imageId)) &&
    matches(filters, "volume", (value) => hasVolume(container, value)) &&
    matches(filters, "expose", (value) =>
      container.effective.exposedPorts.some((key) => isPort(value, key)),
    ) &&
    between(container);
}

/** What only the network knows. */
export function viewFilter(filters: Filters): (view: ContainerView) => boolean {
  return (view) =>
    matches(filters, "network", (value) => isOn(view, value)) &&
    matches(filters, "publish", (value) =>
      view.ports.some(({ containerPort, protocol }) => isPort(value, `${containerPort}/${protocol}`)),
    );
}

/** Also one that rests: the network it would be on. */
function isOn({ container, endpoints, networkIds = {} }: ContainerView, value: string): boolean {
  return (
    container.spec.networks[value] !== undefined ||
    Object.values(networkIds).some((id) => id.startsWith(value)) ||
    endpoints.some(({ networkId, networkName }) => networkName === value || networkId.startsWith(value))
  );
}

function check(filters: Filters, key: string, known: readonly string[]): void {
  const unknown = (filters[key] ?? []).find((value) => !known.includes(value));
  if (unknown !== undefined)
    throw new Fault(
      "invalid",
      `invalid filter '${key}=${unknown.slice(0, 100)}'${didYouMean(unknown, known)}`,
    );
}

function numbers(filters: Filters): readonly number[] {
  return (filters.exited ?? []).map((text) => {
    if (/^-?\d+$/.test(text)) return Number(text);
    throw new Fault("invalid", `invalid filter 'exited=${text.slice(0, 100)}': it is not a number`);
  });
}

function hasExited({ state }: Container, codes: readonly number[]): boolean {
  return !RUNNING.includes(state.status) && state.status !== "created" && codes.includes(state.exitCode);
}

/** Made before the newest `before` and after the oldest `since`; those containers must exist. */
function betweenOthers(needs: Needs, filters: Filters): (container: Container) => boolean {
  const before = (filters.before ?? []).map((ref) => needs.containers.find(ref).created);
  const since = (filters.since ?? []).map((ref) => needs.containers.find(ref).created);
  return ({ created }) => before.every((other) => created < other) && since.every((other) => created > other);
}

function hasVolume({ mounts }: Container, value: string): boolean {
  return mounts.some(
    ({ name, source, destination }) =>
      name === value || destination === value || (name === undefined && source === value),
  );
}

/** `80`, `80/tcp`, `80-90/tcp` against the key of a port. */
function isPort(wanted: string, key: string): boolean {
  const asked = parsePortKey(wanted);
  const there = parsePortKey(key);
  return (
    asked.protocol === there.protocol &&
    asked.range.first <= there.range.last &&
    there.range.first <= asked.range.last
  );
}
