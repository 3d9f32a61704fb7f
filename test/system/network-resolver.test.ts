import { expect, test } from "bun:test";
import { readlinkSync } from "node:fs";
import { Fault } from "#errors";
import { inNetworkNamespace } from "#host";
import { NameTable, Resolver } from "../../src/network/dns/index.ts";
import { requirePackages } from "../fixtures/index.ts";

const HERE = "/proc/thread-self/ns/net";

/** A network namespace with its loopback up, held by a process. */
async function otherNetwork() {
  const child = Bun.spawn(["unshare", "--net", "sh", "-c", "ip link set lo up; echo up; exec cat"], {
    stdin: "pipe",
  });
  await child.stdout.getReader().read();
  const path = `/proc/${child.pid}/ns/net`;
  return {
    path,
    async dig(...words: readonly string[]) {
      const dig = ["dig", "@127.0.0.11", "+tries=1", "+time=5", "+short", ...words];
      return (await Bun.spawn(["nsenter", `--net=${path}`, ...dig]).stdout.text()).trim();
    },
    run: (...words: readonly string[]) => Bun.spawn(["nsenter", `--net=${path}`, ...words]).stdout.text(),
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await child.exited;
    },
  };
}

const outlook = { networks: [{ id: "n1", name: "front", isInternal: false }], links: [], upstream: [] };

function named(): NameTable {
  const table = new NameTable();
  const addresses = { v4: "172.18.0.2", v6: "" };
  table.set("n1", "e1", { containerName: "web", shortId: "", names: [], addresses });
  return table;
}

test("work in another network namespace is done there, and what follows is done here again", async () => {
  await using other = await otherNetwork();
  const home = readlinkSync(HERE);
  const there = inNetworkNamespace(other.path, () => readlinkSync(HERE));
  expect(there).toBe(readlinkSync(other.path));
  expect(there).not.toBe(home);
  expect(readlinkSync(HERE)).toBe(home);
  const failing = () => {
    throw new Error("the work failed");
  };
  expect(() => inNetworkNamespace(other.path, failing)).toThrow("the work failed");
  expect(readlinkSync(HERE)).toBe(home);
  expect(() => inNetworkNamespace(other.path, () => inNetworkNamespace(HERE, () => 0))).toThrow(
    "another is entered",
  );
  expect(readlinkSync(HERE)).toBe(home);
});

test("a network namespace that has ended is a fault of its own kind, and the resolver keeps nothing of it", async () => {
  const path = "/proc/0/ns/net";
  expect(() => inNetworkNamespace(path, () => 0)).toThrow("it has ended");
  using resolver = new Resolver({ table: named(), log: () => {} });
  const opening = resolver.open({ containerId: "c", namespacePath: path, ...outlook });
  expect(await opening.catch((error: Fault) => error.kind)).toBe("not_found");
  expect(resolver.isOpen("c")).toBe(false);
});

test("closing lets go of the sockets at once, and opening again replaces the rule", async () => {
  await requirePackages(["bind9-dnsutils"]);
  await using other = await otherNetwork();
  using resolver = new Resolver({ table: named(), log: () => {} });
  const request = { containerId: "c", namespacePath: other.path, ...outlook };
  await resolver.open(request);
  expect(await other.dig("web")).toBe("172.18.0.2");
  await resolver.open(request);
  expect(await other.dig("+tcp", "web")).toBe("172.18.0.2");
  expect(await other.run("ss", "-Hlnut")).toMatch(/^[^\n]*127\.0\.0\.11[^\n]*\n[^\n]*127\.0\.0\.11[^\n]*\n$/);
  resolver.close("c");
  expect(await other.run("ss", "-Hlnut")).toBe("");
});

test("where the kernel turns nothing, port 53 of 127.0.0.11 is taken, and the log says so", async () => {
  await requirePackages(["bind9-dnsutils"]);
  await using other = await otherNetwork();
  const lines: string[] = [];
  using resolver = new Resolver({
    table: named(),
    log: (level, message) => lines.push(`${level} ${message}`),
    redirect: () => {
      throw new Fault("internal", "Cannot turn DNS questions to their server: the kernel says EOPNOTSUPP");
    },
  });
  await resolver.open({ containerId: "c", namespacePath: other.path, ...outlook });
  expect(await other.dig("web")).toBe("172.18.0.2");
  expect(await other.dig("+tcp", "web")).toBe("172.18.0.2");
  expect(lines).toEqual([
    "warn Cannot turn DNS questions to their server: the kernel says EOPNOTSUPP; the DNS server takes port 53 of the container's 127.0.0.11 itself",
  ]);
});
