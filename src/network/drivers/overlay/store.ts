import { Fault, sentenceOf } from "#errors";
import { type Cluster, KEYS } from "../../cluster/cluster.ts";
import { readNetwork } from "../../cluster/shapes.ts";
import type { Finding, Network } from "../../types.ts";
import { chooseVni, VNI, vniOf } from "./options.ts";

/** How often hosts may be quicker than this one at the same moment. */
const MAX_ATTEMPTS = 50;

/** Enters a network for all hosts, with a VXLAN id of its own. Throws `conflict` when the name or the id is taken. */
export async function enterNetwork(cluster: Cluster, network: Network): Promise<Network> {
  const { etcd } = cluster;
  const asked = vniOf(network);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const vni = asked ?? chooseVni(await takenVnis(cluster));
    const shared: Network = {
      ...network,
      scope: "global",
      options: { ...network.options, [VNI]: String(vni) },
    };
    const [name, record, id] = keysOf(cluster, shared);
    const value = JSON.stringify(shared);
    const { succeeded, found } = await etcd.txn(
      [name, record, id].map((key) => ({ kind: "absent", key })),
      [
        { kind: "put", key: name, value: network.id },
        { kind: "put", key: record, value },
        { kind: "put", key: id, value: network.id },
      ],
      [
        { kind: "get", key: name },
        { kind: "get", key: id },
      ],
    );
    // An answer that was lost: it was done, and asked for again.
    if (succeeded || found[0]?.value === network.id) return shared;
    if (found[0] !== undefined)
      throw new Fault(
        "conflict",
        `network with name ${network.name} already exists (on the hosts that share the cluster store)`,
      );
    if (asked !== undefined)
      throw new Fault("conflict", `Cannot use the VXLAN id ${vni}: another overlay network has it`);
  }
  throw new Fault(
    "unavailable",
    "Cannot choose a VXLAN id: other hosts choose theirs at the same moment; try again",
  );
}

async function takenVnis(cluster: Cluster): Promise<Set<number>> {
  const prefix = cluster.key(KEYS.vnis);
  const { entries } = await cluster.etcd.list(prefix, { keysOnly: true });
  return new Set(entries.map(({ key }) => Number(key.slice(prefix.length))));
}

/** Removes it for all hosts, if it was entered. Throws `conflict` while a container of some host is on it. */
export async function removeNetwork(cluster: Cluster, network: Network): Promise<void> {
  const entered = await cluster.etcd.get(cluster.key(KEYS.network(network.id)));
  if (entered === undefined) return;
  const shared = readNetwork(entered.value) ?? network;
  const prefix = cluster.key(KEYS.endpoints(network.id));
  const { succeeded } = await cluster.etcd.txn(
    [{ kind: "none below", prefix }],
    keysOf(cluster, shared).map((key) => ({ kind: "delete", key })),
  );
  if (!succeeded)
    throw new Fault(
      "conflict",
      `error while removing network: network ${network.name} id ${network.id} has active endpoints on other hosts`,
    );
}

function keysOf(cluster: Cluster, network: Network): [string, string, string] {
  const vni = vniOf(network) ?? 0;
  return [
    cluster.key(KEYS.name(network.name)),
    cluster.key(KEYS.network(network.id)),
    cluster.key(`${KEYS.vnis}${vni}`),
  ];
}

/** Whether the store answers, and what it costs when it does not. */
export async function diagnoseStore(cluster: Cluster): Promise<Finding> {
  const subject = "cluster store";
  const { endpoints } = cluster.settings.etcd;
  try {
    await cluster.etcd.get(cluster.key(KEYS.poolGuard));
    const sentence = `The cluster store at ${endpoints.join(", ")} answers`;
    return { subject, verdict: "good", sentence, remedy: "" };
  } catch (error) {
    const sentence = `${sentenceOf(error)}; containers that run go on`;
    const remedy = "See that etcd runs, and that this host reaches it";
    return { subject, verdict: "broken", sentence, remedy };
  }
}
