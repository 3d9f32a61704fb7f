import { expect, test } from "bun:test";
import { chosenSockets, inheritedSockets } from "../../../src/daemon/activation.ts";

const two = [
  { descriptor: 3, name: "bunker.socket" },
  { descriptor: 4, name: "tcp" },
];

test.each([
  ["nothing", {}, []],
  ["two with names", { LISTEN_PID: "7", LISTEN_FDS: "2", LISTEN_FDNAMES: "bunker.socket:tcp" }, two],
  ["one without a name", { LISTEN_PID: "7", LISTEN_FDS: "1" }, [{ descriptor: 3, name: "unknown" }]],
  ["those of another process", { LISTEN_PID: "8", LISTEN_FDS: "2" }, []],
  ["no number", { LISTEN_PID: "7", LISTEN_FDS: "two" }, []],
  ["more than anybody hands over", { LISTEN_PID: "7", LISTEN_FDS: "100000" }, []],
])("%s is handed over", (_, env, sockets) => {
  expect(inheritedSockets(env, 7)).toEqual(sockets);
});

test.each([
  ["fd://", two],
  ["fd://*", two],
  ["fd://4", two.slice(1)],
  ["fd://bunker.socket", two.slice(0, 1)],
])("%s means", (host, sockets) => {
  expect(chosenSockets(host, two)).toEqual(sockets);
});

test("what was not handed over is refused, naming what was", () => {
  expect(() => chosenSockets("fd://5", two)).toThrow("are 3 (bunker.socket), 4 (tcp)");
  expect(() => chosenSockets("fd://", [])).toThrow("systemd socket unit");
});
