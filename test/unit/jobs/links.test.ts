import { describe, expect, test } from "bun:test";
import type { Container, Link } from "#container";
import {
  linkedParts,
  linksOf,
  parseLink,
  removeLink,
  settleLinks,
} from "../../../src/jobs/container/links.ts";
import { specOf } from "../../fakes/containers.ts";

test.each([
  ["db", "db", "db"],
  ["db:store", "db", "store"],
  ["/db:/web/store", "/db", "store"],
])("the link %p is to %p as %p", (text, ref, alias) => {
  expect(parseLink(text)).toEqual({ ref, alias });
});

test.each(["", ":", "db:", ":store", "a:b:c", "db:/web/"])("%p is no link", (text) => {
  expect(() => parseLink(text)).toThrow("bad format for links");
});

const endpoint = { aliases: [], links: ["a"], linkLocalAddresses: [], gatewayPriority: 0, driverOptions: {} };

test("links of a container on a user-defined network are that network's", () => {
  const spec = specOf({ networks: { front: endpoint } }, { networkMode: "front", links: ["db:store", "a"] });
  const settled = settleLinks(spec);
  expect(settled.host.links).toEqual([]);
  expect(settled.networks.front?.links).toEqual(["a", "db:store"]);
  expect(() => settleLinks(specOf({}, { networkMode: "host", links: ["db"] }))).toThrow(
    "host type networking can't be used with links",
  );
});

/** What the networks were told of links. */
const relinked: unknown[] = [];

function needsWith(
  child: Partial<Container>,
  links: readonly Link[] = [{ parent: "p", alias: "my-db", child: "d" }],
) {
  const db = {
    id: "d",
    name: "db",
    spec: specOf(),
    state: { status: "running" },
    effective: {
      hostname: "abc",
      exposedPorts: ["53/udp", "8080/tcp", "80/tcp"],
      env: ["PATH=/bin", "HOME=/", "X=1=2"],
    },
    ...child,
  } as unknown as Container;
  const left = [...links];
  return {
    containers: {
      find: () => db,
      get: (id: string) => (id === "d" ? db : undefined),
      links: {
        from: () => links,
        to: () => links,
        remove: (parent: string, alias: string) =>
          left.some((link) => link.parent === parent && link.alias === alias),
      },
    },
    networks: {
      endpoints: () => ({ endpoints: [{ networkName: "bridge", address: "172.17.0.9" }], ports: [] }),
      relink: async (...told: unknown[]) => void relinked.push(told),
    },
  } as unknown as Parameters<typeof removeLink>[0];
}

const parent = { id: "p", name: "web" } as Container;

describe("a start with a link", () => {
  test("has the line and the variables that Docker documents", () => {
    const { hosts, environment } = linkedParts(needsWith({}), parent);
    const ports = [
      { protocol: "tcp" as const, number: 80 },
      { protocol: "tcp" as const, number: 8080 },
      { protocol: "udp" as const, number: 53 },
    ];
    expect(hosts).toEqual([{ address: "172.17.0.9", names: ["my-db", "abc", "db"], ports }]);
    expect(environment).toEqual([
      "MY_DB_PORT=tcp://172.17.0.9:80",
      ...["80", "8080"].flatMap((port) => [
        `MY_DB_PORT_${port}_TCP=tcp://172.17.0.9:${port}`,
        `MY_DB_PORT_${port}_TCP_ADDR=172.17.0.9`,
        `MY_DB_PORT_${port}_TCP_PORT=${port}`,
        `MY_DB_PORT_${port}_TCP_PROTO=tcp`,
      ]),
      "MY_DB_PORT_53_UDP=udp://172.17.0.9:53",
      "MY_DB_PORT_53_UDP_ADDR=172.17.0.9",
      "MY_DB_PORT_53_UDP_PORT=53",
      "MY_DB_PORT_53_UDP_PROTO=udp",
      "MY_DB_NAME=/web/my-db",
      "MY_DB_ENV_X=1=2",
    ]);
  });

  test("is refused, in Docker's words, while the other does not run", () => {
    const stopped = { state: { status: "exited" } } as Container;
    expect(() => linkedParts(needsWith(stopped), parent)).toThrow(
      "Cannot link to a non running container: /db AS /web/my-db",
    );
  });
});

test("a container that uses the host's network cannot be linked to", () => {
  const needs = needsWith({ spec: specOf({}, { networkMode: "host" }) });
  expect(() => linksOf(needs, "p", specOf({}, { links: ["db"] }))).toThrow("host type networking");
  expect(linksOf(needsWith({}), "p", specOf({}, { links: ["db:x"] }))).toEqual([
    { parent: "p", alias: "x", child: "d" },
  ]);
});

test.each([
  ["db", "cannot remove the default link name"],
  ["/d/other", "there is no such link"],
])("removing the link %p fails: %s", (ref, words) => {
  expect(removeLink(needsWith({}), ref)).rejects.toThrow(words);
});

test("a link that is removed leads nowhere any more", async () => {
  const needs = needsWith({ id: "d" }, [{ parent: "d", alias: "store", child: "gone" }]);
  relinked.length = 0;
  await removeLink(needs, "db/store");
  expect(relinked).toEqual([["d", []]]);
});
