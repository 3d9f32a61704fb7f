import { describe, expect, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { SocketExchange } from "../../../../src/network/dns/exchange.ts";
import { framed } from "../../../../src/network/dns/frames.ts";

const QUESTION = new TextEncoder().encode("a question of twelve bytes or more");
const hasIpv6 = networkInterfaces().lo?.some(({ address }) => address === "::1") === true;

function asking(address: string, port: number) {
  return {
    server: { address, port, from: "host" as const },
    message: QUESTION,
    timeoutMilliseconds: 5000,
    isAnswer: () => true,
    signal: new AbortController().signal,
  };
}

describe("servers are asked in their own family", () => {
  for (const address of ["127.0.0.1", "::1"]) {
    const isThere = address === "127.0.0.1" || hasIpv6;
    const suffix = isThere ? "" : " (skipped: this host has no IPv6 loopback)";
    const exchange = new SocketExchange("/proc/self/ns/net");

    test.skipIf(!isThere)(`over UDP at ${address}${suffix}`, async () => {
      const server = await Bun.udpSocket({
        hostname: address,
        socket: { data: (socket, data, port, from) => void socket.send(data, port, from) },
      });
      try {
        expect(await exchange.udp(asking(address, server.port))).toEqual(Buffer.from(QUESTION));
      } finally {
        server.close();
      }
    });

    test.skipIf(!isThere)(`over TCP at ${address}${suffix}`, async () => {
      using server = Bun.listen({
        hostname: address,
        port: 0,
        socket: { data: (socket) => void socket.write(framed(QUESTION)) },
      });
      expect(await exchange.tcp(asking(address, server.port))).toEqual(Buffer.from(QUESTION));
    });
  }
});
