import type { ContainerView } from "#jobs";
import { toJson } from "./json.ts";
import { toContainerInspect } from "./translate/container-inspect.ts";
import { toContainerSummary } from "./translate/container-list.ts";
import { toStatusText } from "./translate/container-state.ts";

interface Text {
  readonly view: ContainerView;
  /** What else it is made of. */
  readonly key: string;
  readonly json: string;
}

/**
 * What is told of containers, as JSON. A text is made anew only when something in it has changed: records, endpoints,
 * ports and what a graph driver tells are never written to, so that the same ones say the same.
 */
class Texts {
  readonly #texts = new WeakMap<ContainerView["container"], Text>();

  of(view: ContainerView, key: string, make: () => unknown): string {
    const known = this.#texts.get(view.container);
    if (known?.key === key && isSame(known.view, view)) return known.json;
    const json = toJson(make());
    this.#texts.set(view.container, { view, key, json });
    return json;
  }
}

/** The rows of GET /containers/json. */
export class ContainerRows {
  readonly #texts = new Texts();

  json(views: readonly ContainerView[], at: { readonly now: Date; readonly version: string }): string {
    const rows = views.map((view) => {
      const key = `${at.version} ${toStatusText(view.container, at.now)}`;
      return this.#texts.of(view, key, () => toContainerSummary(view, at));
    });
    return `[${rows.join(",")}]`;
  }
}

/** The replies of GET /containers/{id}/json: clients that wait for something poll it. */
export class ContainerDetails {
  readonly #texts = new Texts();

  json(view: ContainerView, version: string): string {
    return this.#texts.of(view, version, () => toContainerInspect(view, version));
  }
}

/** Of all that is told, besides the record and what follows from it alone. */
function isSame(one: ContainerView, other: ContainerView): boolean {
  return (
    one.imageName === other.imageName &&
    one.sizeRw === other.sizeRw &&
    one.sizeRootFs === other.sizeRootFs &&
    one.graphData === other.graphData &&
    one.appArmorProfile === other.appArmorProfile &&
    areSame(one.endpoints, other.endpoints) &&
    areSame(one.ports, other.ports) &&
    areSame(one.execIds, other.execIds) &&
    areSame(one.links ?? [], other.links ?? []) &&
    areSame(one.linkedNames ?? [], other.linkedNames ?? []) &&
    areSame(Object.entries(one.networkIds ?? {}).flat(), Object.entries(other.networkIds ?? {}).flat())
  );
}

function areSame(some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.length === others.length && some.every((item, index) => item === others[index]);
}
