import type { ContainerView } from "#jobs";
import { toJson } from "./json.ts";
import { toContainerSummary } from "./translate/container-list.ts";
import { toStatusText } from "./translate/container-state.ts";

interface Row {
  readonly view: ContainerView;
  readonly status: string;
  readonly version: string;
  readonly json: string;
}

/**
 * The rows of GET /containers/json as JSON. A row is made anew only when something in it has changed: records,
 * endpoints and ports are never written to, so that the same ones say the same.
 */
export class ContainerRows {
  readonly #rows = new WeakMap<ContainerView["container"], Row>();

  json(views: readonly ContainerView[], at: { readonly now: Date; readonly version: string }): string {
    return `[${views.map((view) => this.#row(view, at)).join(",")}]`;
  }

  #row(view: ContainerView, at: { readonly now: Date; readonly version: string }): string {
    const { version, now } = at;
    const status = toStatusText(view.container, now);
    const known = this.#rows.get(view.container);
    if (known?.version === version && known.status === status && isSame(known.view, view)) return known.json;
    const json = toJson(toContainerSummary(view, at));
    this.#rows.set(view.container, { view, status, version, json });
    return json;
  }
}

/** Of all that a row shows, besides the record. */
function isSame(one: ContainerView, other: ContainerView): boolean {
  return (
    one.imageName === other.imageName &&
    one.sizeRw === other.sizeRw &&
    one.sizeRootFs === other.sizeRootFs &&
    areSame(one.endpoints, other.endpoints) &&
    areSame(one.ports, other.ports) &&
    areSame(one.linkedNames ?? [], other.linkedNames ?? []) &&
    areSame(Object.entries(one.networkIds ?? {}).flat(), Object.entries(other.networkIds ?? {}).flat())
  );
}

function areSame(some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.length === others.length && some.every((item, index) => item === others[index]);
}
