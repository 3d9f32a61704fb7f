import type { Container, ContainerSpec, Link } from "#container";
import { Fault, sentenceOf } from "#errors";
import { moveLinkedHost, type SandboxRequest } from "#network";
import type { Rooms } from "../rooms.ts";
import { networkOfMode } from "./endpoints.ts";

const DEFAULT_NETWORK = "bridge";
/** What a container has of its own and its linked ones do not say for it. */
const PRIVATE_VARIABLES = ["HOME", "PATH"];

type LinkedHosts = NonNullable<SandboxRequest["linkedHosts"]>;

interface FindNeeds {
  readonly containers: Pick<Rooms["containers"], "find">;
}

/** `container`, `container:alias`, and `/container:/parent/alias` as inspect shows it. */
export function parseLink(text: string): { readonly ref: string; readonly alias: string } {
  const [ref = "", alias = ref, ...rest] = text.split(":");
  const name = alias.slice(alias.lastIndexOf("/") + 1);
  if (ref === "" || name === "" || rest.length > 0)
    throw new Fault("invalid", `bad format for links: ${text.slice(0, 256)}`);
  return { ref, alias: name };
}

/**
 * On a user-defined network a link is an alias that holds for the linking container alone, and the network room's to
 * answer: it moves there. On the default bridge it stays.
 */
export function settleLinks(spec: ContainerSpec): ContainerSpec {
  const mode = networkOfMode(spec.host.networkMode);
  const endpoint = spec.networks[mode];
  if (spec.host.links.length === 0 || mode === DEFAULT_NETWORK) return spec;
  for (const link of spec.host.links) parseLink(link);
  if (mode === "host")
    throw new Fault(
      "invalid",
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    );
  if (endpoint === undefined) return spec;
  const links = [...new Set([...endpoint.links, ...spec.host.links])];
  return {
    ...spec,
    host: { ...spec.host, links: [] },
    networks: { ...spec.networks, [mode]: { ...endpoint, links } },
  };
}

/** Of a new container on the default bridge. Throws `not_found` for a container that is not there, and `invalid`. */
export function linksOf(needs: FindNeeds, id: string, { host }: ContainerSpec): readonly Link[] {
  if (networkOfMode(host.networkMode) !== DEFAULT_NETWORK) return [];
  return host.links.map((text) => {
    const { ref, alias } = parseLink(text);
    const child = find(needs, ref);
    if (child.spec.host.networkMode === "host")
      throw new Fault(
        "invalid",
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
      );
    return { parent: id, alias, child: child.id };
  });
}

function find({ containers }: FindNeeds, ref: string): Container {
  try {
    return containers.find(ref);
  } catch (cause) {
    const kind = cause instanceof Fault ? cause.kind : "internal";
    throw new Fault(kind, `could not get container for ${ref.slice(0, 256)}: ${sentenceOf(cause)}`, {
      cause,
    });
  }
}

export interface LinkNeeds {
  readonly containers: Pick<Rooms["containers"], "find" | "get" | "links">;
  readonly networks: Pick<Rooms["networks"], "endpoints">;
}

export interface TellNeeds extends LinkNeeds, Pick<Rooms, "complain"> {
  readonly networks: Pick<Rooms["networks"], "endpoints" | "relink">;
}

interface Linked {
  readonly alias: string;
  readonly child: Container;
  readonly address: string;
}

/** The linked containers with the addresses they have now. Throws `conflict`, in Docker's words, unless all run. */
function linkedOf({ containers, networks }: LinkNeeds, parent: Container): readonly Linked[] {
  return containers.links.from(parent.id).flatMap(({ alias, child: id }) => {
    const child = containers.get(id);
    if (child === undefined) return [];
    if (!isRunning(child))
      throw new Fault(
        "conflict",
        `Cannot link to a non running container: /${child.name} AS /${parent.name}/${alias}`,
      );
    const address = addressOf(networks, id);
    if (address === undefined)
      throw new Fault("conflict", `container ${id} not attached to default bridge network`);
    return [{ alias, child, address }];
  });
}

/** Those of them that run now. */
function runningLinked({ containers, networks }: LinkNeeds, parent: Container): readonly Linked[] {
  return containers.links.from(parent.id).flatMap(({ alias, child: id }) => {
    const child = containers.get(id);
    const address = addressOf(networks, id);
    return child === undefined || address === undefined ? [] : [{ alias, child, address }];
  });
}

const isRunning = ({ state }: Container): boolean => state.status === "running" || state.status === "paused";

function addressOf(networks: LinkNeeds["networks"], id: string): string | undefined {
  const endpoint = networks
    .endpoints(id)
    .endpoints.find(({ networkName }) => networkName === DEFAULT_NETWORK);
  return endpoint?.address || undefined;
}

/** What a start needs of its links: lines for /etc/hosts, and variables. */
export function linkedParts(
  needs: LinkNeeds,
  parent: Container,
): { readonly hosts: LinkedHosts; readonly environment: readonly string[] } {
  const linked = linkedOf(needs, parent);
  return {
    hosts: linked.map(hostOf),
    environment: linked.flatMap((one) => variablesOf(parent.name, one)),
  };
}

function hostOf({ alias, child, address }: Linked): LinkedHosts[number] {
  return { address, names: namesOf(alias, child), ports: portsOf(child) };
}

/** With variables that its own ones of the same name outdo. */
export function withEnvironment(container: Container, environment: readonly string[]): Container {
  const { effective } = container;
  return { ...container, effective: { ...effective, env: [...environment, ...effective.env] } };
}

/** As a new process in it shall know its links, which starts no matter what has become of them. */
export function withLinks(needs: LinkNeeds, container: Container): Container {
  try {
    return withEnvironment(container, linkedParts(needs, container).environment);
  } catch {
    return container;
  }
}

function namesOf(alias: string, { name, effective }: Container): readonly string[] {
  return [...new Set([alias, effective.hostname, name])];
}

/** Source: Docker's documentation, "Legacy container links", "Environment variables". */
function variablesOf(parentName: string, { alias, child, address }: Linked): readonly string[] {
  const prefix = alias.replaceAll("-", "_").toUpperCase();
  const ports = portsOf(child);
  const [first] = ports;
  const own = child.effective.env.filter(
    (entry) => !PRIVATE_VARIABLES.includes(entry.split("=", 1)[0] ?? ""),
  );
  return [
    ...(first === undefined ? [] : [`${prefix}_PORT=${urlOf(first, address)}`]),
    ...ports.flatMap((port) => {
      const name = `${prefix}_PORT_${port.number}_${port.protocol.toUpperCase()}`;
      return [
        `${name}=${urlOf(port, address)}`,
        `${name}_ADDR=${address}`,
        `${name}_PORT=${port.number}`,
        `${name}_PROTO=${port.protocol}`,
      ];
    }),
    `${prefix}_NAME=/${parentName}/${alias}`,
    ...own.map((entry) => `${prefix}_ENV_${entry}`),
  ];
}

type ExposedPort = NonNullable<LinkedHosts[number]["ports"]>[number];

const portsOf = ({ effective }: Container): readonly ExposedPort[] =>
  effective.exposedPorts.map(portOf).toSorted(byProtocolAndNumber);

/** `80/tcp`. */
function portOf(text: string): ExposedPort {
  const [number, protocol] = text.split("/");
  return { number: Number(number), protocol: protocol === "udp" || protocol === "sctp" ? protocol : "tcp" };
}

/** TCP first, then by number: the first one is what the link is for. */
function byProtocolAndNumber(one: ExposedPort, other: ExposedPort): number {
  return Number(other.protocol === "tcp") - Number(one.protocol === "tcp") || one.number - other.number;
}

const urlOf = ({ number, protocol }: ExposedPort, address: string): string =>
  `${protocol}://${address}:${number}`;

/**
 * A container has started: those that run and are linked to it learn its address. That one of them cannot is no reason
 * to end what has just begun.
 */
export async function tellLinked(needs: TellNeeds, child: Container): Promise<void> {
  const { containers, networks, complain } = needs;
  const address = addressOf(networks, child.id);
  if (address === undefined) return;
  for (const { parent, alias } of containers.links.to(child.id)) {
    const known = containers.get(parent);
    if (known === undefined || !isRunning(known)) continue;
    try {
      moveLinkedHost(known.directory, { address, names: namesOf(alias, child) });
      await networks.relink(known.id, runningLinked(needs, known).map(hostOf));
    } catch (thrown) {
      complain(`Cannot tell container ${known.name} where ${child.name} is now`, thrown);
    }
  }
}

/** `parent/alias`, with or without a slash before. Throws `not_found` when there is no such link. */
export async function removeLink(needs: Omit<TellNeeds, "complain">, ref: string): Promise<void> {
  const { containers, networks } = needs;
  const path = ref.replace(/^\//, "");
  const at = path.lastIndexOf("/");
  if (at <= 0) throw new Fault("conflict", "Conflict, cannot remove the default link name of the container");
  const parent = containers.find(path.slice(0, at));
  if (!containers.links.remove(parent.id, path.slice(at + 1)))
    throw new Fault("not_found", `Cannot remove the link /${path.slice(0, 256)}: there is no such link`);
  await networks.relink(parent.id, runningLinked(needs, parent).map(hostOf));
}

/** As inspect shows a container's links, and as lists show the names it has through others'. */
export function linkNames(
  { containers }: Pick<LinkNeeds, "containers">,
  { id, name }: Container,
): { readonly links: readonly string[]; readonly linkedNames: readonly string[] } {
  const { links } = containers;
  const nameOf = (other: string) => containers.get(other)?.name;
  return {
    links: links.from(id).map(({ alias, child }) => `/${nameOf(child) ?? child}:/${name}/${alias}`),
    linkedNames: links.to(id).map(({ parent, alias }) => `/${nameOf(parent) ?? parent}/${alias}`),
  };
}
