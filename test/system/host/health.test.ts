import { afterAll, beforeAll, expect, test } from "bun:test";
import { HostPart, PATIENCE, until } from "../../fixtures/host-part.ts";
import { Listener } from "../../fixtures/listener.ts";
import { processesWith } from "../../fixtures/processes.ts";

let part: HostPart;
let listener: Listener;

beforeAll(async () => {
  part = await HostPart.open("busybox");
  listener = await Listener.open(part.daemon.socket);
}, PATIENCE);
afterAll(async () => {
  await listener?.[Symbol.asyncDispose]();
  await part?.[Symbol.asyncDispose]();
}, PATIENCE);

test(
  "F12: a check that hangs is ended with all its processes, and the next one is run",
  async () => {
    const word = `hang-once-${process.pid}`;
    const hang = `(setsid sh -c 'sleep 1000; : ${word}' >/dev/null 2>&1 &); sh -c 'sleep 1001; : ${word}' & sleep 1002`;
    const script = `if mkdir /tmp/begun 2>/dev/null; then ${hang}; fi; cat /proc/self/cgroup`;
    const second = 1_000_000_000;
    const { id, pid } = await part.start(
      ["sleep", "600"],
      {},
      {
        Healthcheck: { Test: ["CMD-SHELL", script], Interval: second, Timeout: 5 * second, Retries: 1 },
      },
    );
    await listener.next(id, "health_status: unhealthy");
    await listener.next(id, "health_status: healthy");
    await until(
      () => processesWith(word).filter((line) => !line.includes("/tmp/begun")),
      (left) => left.length === 0,
    );
    const { State } = await part.ask<{
      State: { Pid: number; Health: { Log: { ExitCode: number; Output: string }[] } };
    }>("GET", `/containers/${id}/json`);
    expect(State.Pid).toBe(pid);
    expect(State.Health.Log.map(({ ExitCode }) => ExitCode).slice(0, 2)).toEqual([-1, 0]);
    expect(State.Health.Log.at(-1)?.Output).toMatch(/bunker-own-[0-9a-f]{64}$/m);
    await part.remove(id);
  },
  PATIENCE,
);
