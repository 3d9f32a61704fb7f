import { expect, test } from "bun:test";
import { send } from "../../../../src/network/dns/listener.ts";

test("a client that has gone costs the next one no answer", async () => {
  const address = "127.0.0.1";
  const { promise, resolve } = Promise.withResolvers<string>();
  const server = await Bun.udpSocket({ hostname: address, port: 0, socket: { error() {} } });
  const gone = await Bun.udpSocket({ hostname: address, port: 0 });
  const { port: gonePort } = gone;
  gone.close();
  const client = await Bun.udpSocket({
    hostname: address,
    port: 0,
    socket: { data: (_, data) => resolve(data.toString()) },
  });
  try {
    send(server, Buffer.from("for nobody"), { port: gonePort, address });
    send(server, Buffer.from("an answer"), { port: client.port, address });
    expect(await promise).toBe("an answer");
  } finally {
    client.close();
    server.close();
  }
});

test("what cannot be sent at all is given up", () => {
  let tries = 0;
  const socket = {
    send(): boolean {
      tries += 1;
      throw new Error("EPERM");
    },
  };
  send(socket, Buffer.from("an answer"), { port: 1, address: "127.0.0.1" });
  expect(tries).toBeGreaterThan(1);
  expect(tries).toBeLessThan(10);
});
