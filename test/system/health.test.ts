import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";
import { Listener } from "../fixtures/listener.ts";
import { processesWith } from "../fixtures/processes.ts";

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

const MS = 1_000_000;
const SECOND = 1000 * MS;

interface Health {
  readonly Status: string;
  readonly FailingStreak: number;
  readonly Log: readonly { Start: string; End: string; ExitCode: number; Output: string }[];
}

const shell = (script: string, settings: object = {}) => ({
  Healthcheck: {
    Test: ["CMD-SHELL", script],
    Interval: 50 * MS,
    Timeout: 10 * SECOND,
    Retries: 2,
    ...settings,
  },
});
const checked = (script: string, settings: object = {}) =>
  part.start(["sleep", "600"], {}, shell(script, settings));
const healthOf = async (id: string) =>
  (await part.ask<{ State: { Health?: Health } }>("GET", `/containers/${id}/json`)).State.Health;
const rows = (filter: object = {}) =>
  part.ask<{ Id: string; Status: string }[]>(
    "GET",
    `/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify(filter))}`,
  );
const becomes = (id: string, status: string) => listener.next(id, `health_status: ${status}`);

/** Resident, in KiB. */
function memoryOf(pid: number): number {
  return Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

describe("a health check", () => {
  test(
    "finds a container healthy, unhealthy and healthy again, and says so everywhere",
    async () => {
      const { id } = await checked("cat /tmp/well 2>&1", { Interval: 200 * MS });
      expect(await healthOf(id)).toEqual({ Status: "starting", FailingStreak: 0, Log: [] });
      expect((await rows({ health: ["starting"] })).map(({ Status }) => Status)).toEqual([
        expect.stringMatching(/^Up .* \(health: starting\)$/),
      ]);
      await becomes(id, "unhealthy");
      const sick = await healthOf(id);
      expect(sick).toMatchObject({ Status: "unhealthy", FailingStreak: expect.any(Number) });
      expect(sick?.Log.at(-1)).toMatchObject({
        ExitCode: 1,
        Output: "cat: can't open '/tmp/well': No such file or directory\n",
        Start: expect.stringMatching(/^\d{4}-.*Z$/),
      });
      expect((await rows({ health: ["unhealthy"] }))[0]?.Status).toMatch(/ \(unhealthy\)$/);
      await part.exec(id, ["sh", "-c", "echo fine > /tmp/well"]);
      await becomes(id, "healthy");
      const well = await healthOf(id);
      expect(well).toMatchObject({ Status: "healthy", FailingStreak: 0 });
      expect(well?.Log.length).toBeLessThanOrEqual(5);
      expect(well?.Log.at(-1)).toMatchObject({ ExitCode: 0, Output: "fine\n" });
      expect((await rows({ health: ["healthy"] }))[0]?.Status).toMatch(/ \(healthy\)$/);
      const checks = listener.seen(id).filter((action) => action.startsWith("exec_"));
      expect(checks.slice(0, 3)).toEqual([
        "exec_create: /bin/sh -c cat /tmp/well 2>&1",
        "exec_start: /bin/sh -c cat /tmp/well 2>&1",
        "exec_die",
      ]);
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "F12: that hangs is ended with all its processes after its timeout, and none stays",
    async () => {
      const word = `hang-${process.pid}`;
      // One of them leaves the session, one is the child of a child, one holds the output.
      const script = `(setsid sh -c 'sleep 1000; : ${word}' >/dev/null 2>&1 &); sh -c 'sleep 1001; : ${word}' & echo begun; sleep 1002; : ${word}`;
      const { id } = await checked(script, {
        Timeout: 500 * MS,
        Interval: 2 * SECOND,
        Retries: 1,
      });
      await becomes(id, "unhealthy");
      const health = await healthOf(id);
      expect(health?.Log.at(-1)).toMatchObject({
        ExitCode: -1,
        Output: "Health check exceeded timeout (500ms): begun\n",
      });
      // Before the next one begins.
      await until(
        () => processesWith(word),
        (left) => left.length === 0,
      );
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "F12: leaves no process behind while its container lives, also when it ends in time",
    async () => {
      const { id } = await checked("setsid sleep 1003 >/dev/null 2>&1 & exit 0");
      await becomes(id, "healthy");
      for (let round = 0; round < 5; round++) await listener.next(id, "exec_die");
      await part.ask("POST", `/containers/${id}/pause`);
      expect(
        (await part.ask<{ Processes: string[][] }>("GET", `/containers/${id}/top`)).Processes.length,
      ).toBeLessThanOrEqual(3);
      await part.ask("POST", `/containers/${id}/unpause`);
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "F3, F12: whose supervisor is killed takes all of it with it",
    async () => {
      const word = `orphan-${process.pid}`;
      const script = `(setsid sh -c 'sleep 1005; : ${word}' >/dev/null 2>&1 &); echo $$ > /tmp/pid; sleep 1006; : ${word}`;
      const { id } = await checked(`if mkdir /tmp/begun; then ${script}; fi`, {
        Interval: 200 * MS,
        Retries: 1,
      });
      await until(
        () => processesWith(word).filter((line) => !line.includes("/tmp/begun")),
        (found) => found.length > 0,
      );
      const [first = ""] = processesWith(word).filter((line) => line.includes("/tmp/begun"));
      const pid = Number(first.split(" ", 1)[0]);
      const supervisor = /^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      process.kill(Number(supervisor), "SIGKILL");
      await becomes(id, "unhealthy");
      expect((await healthOf(id))?.Log[0]?.ExitCode).toBe(137);
      await until(
        () => processesWith(word).filter((line) => !line.includes("/tmp/begun")),
        (left) => left.length === 0,
      );
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "F12: that floods its output is cut, and the daemon does not grow",
    async () => {
      const before = memoryOf(part.daemon.pid);
      const { id } = await checked("yes words-words-words", {
        Timeout: 1500 * MS,
        Retries: 1,
      });
      await becomes(id, "unhealthy");
      const output = (await healthOf(id))?.Log[0]?.Output ?? "";
      expect(output).toStartWith("Health check exceeded timeout (1.5s): words-words-words\nwords-");
      expect(output).toEndWith("...");
      expect(output.length).toBe("Health check exceeded timeout (1.5s): ".length + 4096 + "...".length);
      expect(memoryOf(part.daemon.pid) - before).toBeLessThan(48 * 1024);
      await part.remove(id);
      const brief = await checked("yes 12345678 | head -c 10000000");
      await becomes(brief.id, "healthy");
      expect((await healthOf(brief.id))?.Log[0]?.Output.length).toBe(4096 + 3);
      await part.remove(brief.id);
    },
    PATIENCE,
  );

  test(
    "that cannot be run says why",
    async () => {
      const { id } = await part.start(
        ["sleep", "600"],
        {},
        {
          Healthcheck: { Test: ["CMD", "/no/such/program"], Interval: 50 * MS, Retries: 1 },
        },
      );
      await becomes(id, "unhealthy");
      expect((await healthOf(id))?.Log[0]).toMatchObject({
        ExitCode: -1,
        Output: expect.stringContaining("/no/such/program"),
      });
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "is confined as its container is, and sees its variables",
    async () => {
      const { id } = await part.start(
        ["sleep", "600"],
        { CapDrop: ["ALL"] },
        {
          Env: ["KIND=checked"],
          User: "33",
          WorkingDir: "/tmp",
          ...shell('echo "$KIND $(id -u) $PWD $(grep CapBnd /proc/self/status)"'),
        },
      );
      await becomes(id, "healthy");
      expect((await healthOf(id))?.Log[0]?.Output).toBe("checked 33 /tmp CapBnd:\t0000000000000000\n");
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "stands still while its container is paused, and goes on afterwards",
    async () => {
      const { id } = await checked("echo once");
      await becomes(id, "healthy");
      await part.ask("POST", `/containers/${id}/pause`);
      const paused = await healthOf(id);
      expect(paused?.Status).toBe("unhealthy");
      // Another container's checks show that time goes by.
      const other = await checked("true");
      await becomes(other.id, "healthy");
      for (let round = 0; round < 5; round++) await listener.next(other.id, "exec_die");
      expect(await healthOf(id)).toEqual(paused);
      await part.ask("POST", `/containers/${id}/unpause`);
      await becomes(id, "healthy");
      for (const one of [id, other.id]) await part.remove(one);
    },
    PATIENCE,
  );

  test(
    "begins anew with each life, and ends with it",
    async () => {
      const { id } = await checked("test -e /tmp/bad && exit 1; exit 0", { Interval: 200 * MS });
      await becomes(id, "healthy");
      await part.ask("POST", `/containers/${id}/stop?t=0`);
      expect((await healthOf(id))?.Status).toBe("unhealthy");
      const ended = listener.seen(id).length;
      await part.ask("POST", `/containers/${id}/start`);
      expect(await healthOf(id)).toMatchObject({ Status: "starting", FailingStreak: 0 });
      expect(
        listener
          .seen(id)
          .slice(ended)
          .filter((action) => action.startsWith("exec_")),
      ).toEqual([]);
      await becomes(id, "healthy");
      await part.exec(id, ["touch", "/tmp/bad"]);
      await becomes(id, "unhealthy");
      await part.ask("POST", `/containers/${id}/restart?t=0`);
      expect(await healthOf(id)).toMatchObject({ Status: "starting", FailingStreak: 0 });
      await becomes(id, "unhealthy");
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "goes on when another daemon takes over, and what hung in the meantime is ended",
    async () => {
      const word = `lost-${process.pid}`;
      const { id } = await checked("test -e /tmp/bad && exit 1; exit 0");
      const hanging = await checked(`sleep 1004; : ${word}`, { Timeout: 600 * SECOND });
      await becomes(id, "healthy");
      await until(
        () => processesWith(word),
        (found) => found.length > 0,
      );
      await listener[Symbol.asyncDispose]();
      const before = new Set(processesWith(word));
      await part.daemon.kill();
      await part.daemon.start();
      listener = await Listener.open(part.daemon.socket);
      expect((await healthOf(id))?.Status).toBe("healthy");
      await part.exec(id, ["touch", "/tmp/bad"]);
      await becomes(id, "unhealthy");
      await until(
        () => processesWith(word),
        (found) => !found.some((one) => before.has(one)),
      );
      for (const one of [id, hanging.id]) await part.remove(one);
    },
    PATIENCE,
  );

  test(
    "is none for who asks for none, nor where there is none",
    async () => {
      const { id } = await part.start(["sleep", "600"], {}, { Healthcheck: { Test: ["NONE"] } });
      const plain = await part.start(["sleep", "600"]);
      for (const one of [id, plain.id]) {
        expect(await healthOf(one)).toBeUndefined();
        expect((await rows({ health: ["none"], id: [one] })).map(({ Status }) => Status)).toEqual([
          expect.not.stringContaining("("),
        ]);
        await part.remove(one);
      }
    },
    PATIENCE,
  );

  test("F12: with times that mean nothing is refused in Docker's words", async () => {
    for (const [name, value] of [
      ["Interval", 5],
      ["Timeout", -1],
      ["StartPeriod", 999_999],
      ["StartInterval", 1],
    ] as const) {
      const reply = await part.daemon.request("POST", "/containers/create", {
        Image: "busybox",
        Healthcheck: { Test: ["CMD", "true"], [name]: value },
      });
      expect([reply.status, await reply.json()]).toEqual([
        400,
        { message: `${name} in Healthcheck cannot be less than 1ms` },
      ]);
    }
  });
});
