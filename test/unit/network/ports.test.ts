import { describe, expect, test } from "bun:test";
import { type AddressInfo, connect, createServer } from "node:net";
import { addressBytes, parseAddress } from "../../../src/network/addresses.ts";
import type { PortRequest } from "../../../src/network/driver.ts";
import { isInTheWay } from "../../../src/network/port-holder.ts";
import { PortTable } from "../../../src/network/ports.ts";

const one = { containerId: "1", containerName: "/one" };
const two = { containerId: "2", containerName: "/two" };
const request = (hostPort: number, more: Partial<PortRequest> = {}): PortRequest => ({
  containerPort: 80,
  protocol: "tcp",
  hostAddress: "127.0.0.1",
  hostPort,
  hostPortEnd: hostPort,
  ...more,
});
const table = (defaultAddress = "") => new PortTable({ defaultAddress, hasIpv6: false });

/** A port that a socket of this process holds while the work is done. */
async function withBusyPort(work: (port: number) => void | Promise<void>): Promise<void> {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  await work(server.port);
  server.stop(true);
}

describe("the table of ports", () => {
  test("refuses a port of another container by that one's name, and holds nothing of the request", () => {
    const ports = table();
    const [first] = ports.take(one, [request(0)]);
    const taken = first?.hostPort ?? 0;
    expect(() => ports.take(two, [request(0), request(taken)])).toThrow(
      `Bind for 127.0.0.1:${taken} failed: port is already allocated: the container one has tcp port ${taken}`,
    );
    expect(() => ports.take(two, [request(taken, { hostAddress: "0.0.0.0" })])).toThrow("the container one");
    expect(ports.take(two, [request(taken, { protocol: "udp" })])).toHaveLength(1);
    ports.release("1", first === undefined ? [] : [first]);
    expect(ports.take(two, [request(taken)])[0]?.hostPort).toBe(taken);
  });

  test("refuses a port of a process by its name and pid", () =>
    withBusyPort((busy) => {
      expect(() => table().take(one, [request(busy)])).toThrow(`(pid ${process.pid}) has tcp port ${busy}`);
    }));

  test("passes over what is busy in a range", () =>
    withBusyPort((busy) => {
      const [given] = table().take(one, [request(busy, { hostPortEnd: busy + 20 })]);
      expect(given?.hostPort).toBeGreaterThan(busy);
    }));

  test("takes a port whose server has gone and left connections lingering", async () => {
    const server = createServer((socket) => socket.end());
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as AddressInfo;
    const client = connect(port, "127.0.0.1").resume();
    await new Promise((closed) => client.on("close", closed));
    await new Promise((closed) => server.close(closed));
    expect(table().take(one, [request(port)])[0]?.hostPort).toBe(port);
  });

  test("gives ephemeral ports in turn", () => {
    const ports = table();
    const given = ports.take(one, [request(0), request(0), request(0)]).map(({ hostPort }) => hostPort);
    expect(given).toEqual([...new Set(given)].sort((a, b) => a - b));
  });

  test("publishes where the daemon was told to when no address is given", () => {
    expect(table("127.0.0.1").take(one, [request(0, { hostAddress: "" })])[0]?.hostAddress).toBe("127.0.0.1");
    expect(table().take(one, [request(0, { hostAddress: "" })])[0]?.hostAddress).toBe("0.0.0.0");
  });

  test.each([
    ["203.0.113.77", "no interface of this host has that address"],
    ["nowhere", "it is not an IP address"],
  ])("refuses the address %s", (hostAddress, reason) => {
    expect(() => table().take(one, [request(0, { hostAddress })])).toThrow(reason);
  });
});

test.each([
  ["0.0.0.0", "127.0.0.1", true],
  ["127.0.0.1", "0.0.0.0", true],
  ["127.0.0.1", "127.0.0.2", false],
  ["127.0.0.1", "127.0.0.1", true],
  ["::", "0.0.0.0", true],
  ["::1", "0.0.0.0", false],
  ["0.0.0.0", "::", false],
  ["::1", "::", true],
])("a socket on %s stands in the way of %s: %p", (held, hostAddress, expected) => {
  const bytes = addressBytes(parseAddress(held) ?? { family: 4, value: 1n });
  const wanted = { protocol: "tcp", hostAddress, hostPort: 80 } as const;
  expect(isInTheWay({ bytes, port: 80, inode: 1 }, wanted)).toBe(expected);
  expect(isInTheWay({ bytes, port: 81, inode: 1 }, wanted)).toBe(false);
});

test.each([
  ["0::0", "::"],
  ["0:0:0:0:0:0:0:1", "::1"],
  ["::ffff:127.0.0.1", "127.0.0.1"],
])("a port asked for at %s is published at %s, as the kernel's tools write it", (hostAddress, written) => {
  const port = { ...request(0), hostAddress };
  const [first] = new PortTable({ defaultAddress: "", hasIpv6: true }).take(one, [port]);
  expect(first?.hostAddress).toBe(written);
});
