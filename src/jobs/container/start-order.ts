import type { Container } from "#container";
import type { Rooms } from "../rooms.ts";
import { isContainerMode } from "./modes.ts";

interface Needs {
  readonly containers: Pick<Rooms["containers"], "find" | "links">;
}

/** Containers, those that others need before these, else as they came; and who need each other in a circle. */
export interface StartOrder {
  readonly order: readonly Container[];
  /** Each names the containers of one circle, the first again at its end. */
  readonly circles: readonly (readonly string[])[];
}

/** In what order containers are to be started that are to run together: a namespace's owner, linked ones, lenders of volumes first. */
export function startOrder(needs: Needs, containers: readonly Container[]): StartOrder {
  const waiting = new Map(containers.map((container) => [container.id, container]));
  const order: Container[] = [];
  const circles: string[][] = [];
  const visit = (container: Container, path: readonly Container[]) => {
    const at = path.indexOf(container);
    if (at >= 0) circles.push([...path.slice(at), container].map(({ name }) => name));
    if (at >= 0 || !waiting.has(container.id)) return;
    for (const id of neededBy(needs, container)) {
      const other = waiting.get(id);
      if (other !== undefined) visit(other, [...path, container]);
    }
    if (waiting.delete(container.id)) order.push(container);
  };
  for (const container of containers) visit(container, []);
  return { order, circles };
}

/** Ids of the containers that it cannot do without, those that are gone left out. */
function neededBy({ containers }: Needs, { id, spec }: Container): readonly string[] {
  const { networkMode, pidMode, ipcMode, volumesFrom } = spec.host;
  const shared = [networkMode, pidMode, ipcMode]
    .filter(isContainerMode)
    .map((mode) => mode.slice(mode.indexOf(":") + 1));
  const lenders = volumesFrom.map((entry) => entry.split(":", 1)[0] ?? "");
  const linked = containers.links.from(id).map(({ child }) => child);
  return [...shared, ...lenders, ...linked].flatMap((ref) => {
    try {
      return [containers.find(ref).id];
    } catch {
      return [];
    }
  });
}
