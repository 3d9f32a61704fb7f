import { expect, test } from "bun:test";
import type { Network, NetworkDriver, NetworkRequest } from "#network";
import { refuseFollowed } from "../../../src/network/configuration.ts";
import { draftOf } from "../../../src/network/draft.ts";

const PLAIN: NetworkRequest = {
  name: "front",
  driver: "",
  options: {},
  labels: {},
  isInternal: false,
  isAttachable: false,
  ipam: { driver: "", options: {}, pools: [] },
};
const POOLS = [{ family: 4 as const, subnet: "10.7.0.0/24", gateway: "", range: "", auxiliary: {} }];

const driver = { namespace: "new" } as NetworkDriver;

function draft(request: Partial<NetworkRequest>, known: readonly Network[] = []) {
  return draftOf(
    { ...PLAIN, ...request },
    {
      store: { named: (name) => known.find((network) => network.name === name) },
      drivers: { find: async () => driver, ownNames: () => ["bridge"] },
      settings: { defaultNetworkOptions: {} },
    },
  );
}

const base = await draft({
  name: "base",
  isConfigOnly: true,
  driver: "bridge",
  options: { colour: "blue" },
  labels: { a: "1", b: "1" },
  isIpv6: true,
  ipam: { driver: "", options: {}, pools: POOLS },
});

test("a configuration has the driver null, and what it was given", () => {
  expect(base).toMatchObject({
    name: "base",
    driver: "null",
    scope: "local",
    isConfigOnly: true,
    isIpv6: true,
  });
  expect(base.ipam).toEqual({ driver: "default", options: {}, pools: POOLS });
});

test("a network made from one has its options, addresses and labels, and says whose they are", async () => {
  const made = await draft({ configFrom: "base", driver: "macvlan", labels: { b: "2" } }, [base]);
  expect(made).toMatchObject({
    driver: "macvlan",
    configFrom: "base",
    options: { colour: "blue" },
    labels: { a: "1", b: "2" },
    isIpv6: true,
    ipam: { pools: POOLS },
  });
  expect(made.isConfigOnly).toBeUndefined();
});

const REFUSED: readonly (readonly [Partial<NetworkRequest>, string])[] = [
  [{ isConfigOnly: true, configFrom: "base" }, "cannot depend on another configuration network"],
  [{ isConfigOnly: true, isInternal: true }, "can only contain network specific fields"],
  [{ isConfigOnly: true, isAttachable: true }, "can only contain network specific fields"],
  [{ configFrom: "nosuch" }, 'configuration network "nosuch" not found'],
  [{ configFrom: "plain" }, 'network "plain" is not a configuration network'],
  [{ configFrom: "base", options: { a: "b" } }, "user specified configurations are not supported"],
  [{ configFrom: "base", ipam: { ...PLAIN.ipam, pools: POOLS } }, "user specified configurations"],
];

test.each(REFUSED)("%j is refused", async (request, words) => {
  const plain = await draft({ name: "plain" });
  await expect(draft(request, [base, plain])).rejects.toThrow(words);
});

test("a configuration that networks were made from stays", async () => {
  const made = await draft({ configFrom: "base" }, [base]);
  expect(() => refuseFollowed(base, [base, made])).toThrow('"base" is in use by front');
  refuseFollowed(base, [base]);
  refuseFollowed(made, [base, made]);
});
