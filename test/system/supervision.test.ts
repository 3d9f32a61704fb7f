import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { processStartTicks } from "#host";
import { BUNKER, run as program } from "../fixtures/daemon.ts";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";
import { hostDifference, hostState } from "../fixtures/host-state.ts";
import { tree } from "../fixtures/leavings.ts";

let part: HostPart;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(`${tmpdir()}/supervision-`);
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => {
  await part?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
}, PATIENCE);

interface State {
  readonly Status: string;
  readonly Pid: number;
  readonly ExitCode: number;
  readonly FinishedAt: string;
  readonly StartedAt: string;
}

const sh = (script: string) => ["sh", "-c", script];
const stateOf = async (id: string) => (await part.inspect(id)).State as unknown as State;
const isAlive = (pid: number) => processStartTicks(pid) !== undefined;
const supervisorOf = (pid: number) =>
  Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
const hasEnded = (id: string) =>
  until(
    () => stateOf(id),
    ({ Status }) => Status === "exited",
  );

async function waitFor(id: string): Promise<number> {
  return (await part.ask<{ StatusCode: number }>("POST", `/containers/${id}/wait`)).StatusCode;
}

/** What has been announced of a container until now, as far as this daemon remembers. */
async function happened(
  id: string,
): Promise<{ Action: string; Actor: { Attributes: Record<string, string> } }[]> {
  const filters = encodeURIComponent(JSON.stringify({ container: [id] }));
  const until = (Date.now() / 1000 + 0.3).toFixed(3);
  const reply = await part.daemon.request("GET", `/events?since=1&until=${until}&filters=${filters}`);
  return (await reply.text())
    .trim()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

describe("while no daemon is there", () => {
  test(
    "F1: containers run on, what ends keeps its code and time, and what is paused stays so",
    async () => {
      const steady = await part.start(["sleep", "600"]);
      const paused = await part.start(["sleep", "600"]);
      await part.ask("POST", `/containers/${paused.id}/pause`);
      const brief = await part.start(sh("while [ ! -e /go/on ]; do usleep 10000; done; echo last; exit 42"), {
        Binds: [`${directory}:/go`],
      });
      await part.daemon.kill();
      const killed = Date.now();
      writeFileSync(`${directory}/on`, "");
      await until(
        () => isAlive(brief.pid),
        (alive) => !alive,
      );
      const gone = Date.now();
      await part.daemon.start();
      expect(await stateOf(steady.id)).toMatchObject({ Status: "running", Pid: steady.pid });
      expect(await stateOf(paused.id)).toMatchObject({ Status: "paused", Pid: paused.pid });
      const ended = await stateOf(brief.id);
      expect(ended).toMatchObject({ Status: "exited", ExitCode: 42 });
      expect(Date.parse(ended.FinishedAt)).toBeGreaterThanOrEqual(killed - 1);
      expect(Date.parse(ended.FinishedAt)).toBeLessThanOrEqual(gone + 1000);
      expect((await part.logs(brief.id)).stdout).toBe("last\n");
      expect((await happened(brief.id)).filter(({ Action }) => Action === "die").length).toBe(1);
      await part.ask("POST", `/containers/${paused.id}/unpause`);
      expect((await part.exec(paused.id, ["echo", "awake"])).stdout).toBe("awake\n");
      expect((await part.exec(steady.id, ["echo", "here"])).stdout).toBe("here\n");
      for (const { id } of [steady, paused, brief]) await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "F2: ten megabytes are written without a pause, and every line is there afterwards, once",
    async () => {
      const lines = 200_000;
      const script = `while [ ! -e /go/write ]; do usleep 10000; done; awk 'BEGIN { for (i = 1; i <= ${lines}; i++) print "line number " i " of a long tale, padded with words" }'`;
      const { id, pid } = await part.start(sh(script), { Binds: [`${directory}:/go`] });
      await part.daemon.kill();
      writeFileSync(`${directory}/write`, "");
      await until(
        () => isAlive(pid),
        (alive) => !alive,
      );
      await part.daemon.start();
      const { stdout } = await part.logs(id);
      expect(stdout.length).toBeGreaterThan(10_000_000);
      expect(
        stdout
          .trimEnd()
          .split("\n")
          .findIndex((line, index) => !line.startsWith(`line number ${index + 1} of`)),
      ).toBe(-1);
      expect(stdout.trimEnd().split("\n").length).toBe(lines);
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "F17: one can attach to what was started by an earlier daemon",
    async () => {
      const { id } = await part.start(["cat"], {}, { OpenStdin: true, StdinOnce: true });
      await part.daemon.kill();
      await part.daemon.start();
      const { code, stdout } = await program(
        [BUNKER, "attach", id],
        { BUNKER_HOST: `unix://${part.daemon.socket}` },
        "said\n",
      );
      expect([code, stdout]).toEqual([0, "said\n"]);
      expect(await waitFor(id)).toBe(0);
      await part.remove(id);
    },
    PATIENCE,
  );
});

describe("the supervisor", () => {
  test(
    "F3: killed, takes its container with it; the state settles, nothing is left, and it goes",
    async () => {
      const { id, pid } = await part.start(sh("sleep 700 & sleep 600"));
      process.kill(supervisorOf(pid), "SIGKILL");
      await hasEnded(id);
      expect(isAlive(pid)).toBe(false);
      expect((await stateOf(id)).ExitCode).toBe(137);
      await part.ask("POST", `/containers/${id}/start`);
      expect((await stateOf(id)).Status).toBe("running");
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "F3: killed, is started anew with its container by the restart policy",
    async () => {
      const policy = { RestartPolicy: { Name: "always" } };
      const { id, pid } = await part.start(["sleep", "600"], policy);
      process.kill(supervisorOf(pid), "SIGKILL");
      await until(
        () => stateOf(id),
        ({ Status, Pid }) => Status === "running" && Pid !== pid,
      );
      await part.remove(id);
    },
    PATIENCE,
  );
});

describe("a container's first process", () => {
  test.each([
    ["SIGKILL", 137],
    ["SIGTERM", 143],
    ["SIGSEGV", 139],
  ] as const)(
    "F4: ended from outside by %s is told as %i",
    async (signal, code) => {
      // As the first process of a pid namespace it would be deaf to signals that it does not handle.
      const { id, pid } = await part.start(["sleep", "600"], { PidMode: "host" });
      process.kill(pid, signal);
      expect(await waitFor(id)).toBe(code);
      const death = (await happened(id)).find(({ Action }) => Action === "die");
      expect(death?.Actor.Attributes.exitCode).toBe(String(code));
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "F5: that ignores its stop signal is killed when its time is over, and others are answered meanwhile",
    async () => {
      const { id } = await part.start(sh("trap '' TERM; echo ready; while :; do sleep 1; done"));
      await until(
        () => part.logs(id),
        ({ stdout }) => stdout === "ready\n",
      );
      let isStopped = false;
      const stopping = part.ask("POST", `/containers/${id}/stop?t=2`).then(() => {
        isStopped = true;
      });
      const other = await part.run(["echo", "meanwhile"]);
      expect(other.stdout).toBe("meanwhile\n");
      expect((await stateOf(id)).Status).toBe("running");
      expect(isStopped).toBe(false);
      await stopping;
      expect(await stateOf(id)).toMatchObject({ Status: "exited", ExitCode: 137 });
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "F5: has its own stop signal and its own time",
    async () => {
      const script = "trap 'exit 5' USR1; trap '' TERM; echo ready; while :; do usleep 10000; done";
      for (const [settings, code] of [
        [{ StopSignal: "SIGUSR1", StopTimeout: 100 }, 5],
        [{ StopSignal: "SIGTERM", StopTimeout: 0 }, 137],
      ] as const) {
        const { id } = await part.start(sh(script), {}, settings);
        await until(
          () => part.logs(id),
          ({ stdout }) => stdout === "ready\n",
        );
        await part.ask("POST", `/containers/${id}/stop`);
        expect((await stateOf(id)).ExitCode).toBe(code);
        await part.remove(id);
      }
    },
    PATIENCE,
  );

  test(
    "F6: has ended for everybody once it has for one: fifty times",
    async () => {
      for (let round = 0; round < 10; round++)
        await Promise.all(
          [1, 2, 3, 4, 5].map(async (code) => {
            const { Id: id } = await part.ask<{ Id: string }>("POST", "/containers/create", {
              Image: "busybox",
              Cmd: sh(`echo round ${round}; exit ${code}`),
            });
            const waiting = part.ask<{ StatusCode: number }>(
              "POST",
              `/containers/${id}/wait?condition=next-exit`,
            );
            await part.ask("POST", `/containers/${id}/start`);
            expect((await waiting).StatusCode).toBe(code);
            const [state, logs, listed] = await Promise.all([
              stateOf(id),
              part.logs(id),
              part.daemon.json<{ Id: string; State: string }[]>("/containers/json?all=1"),
            ]);
            expect(state).toMatchObject({ Status: "exited", ExitCode: code, Pid: 0 });
            expect(logs.stdout).toBe(`round ${round}\n`);
            expect(listed.find(({ Id }) => Id === id)?.State).toBe("exited");
            await part.remove(id);
          }),
        );
    },
    PATIENCE,
  );
});

describe("a pid", () => {
  test(
    "F11: that has gone to somebody else is neither believed nor signalled",
    async () => {
      const { id, pid } = await part.start(["sleep", "600"]);
      const supervisor = supervisorOf(pid);
      const file = `${part.daemon.execRoot}/containers/${id}/pid`;
      const [, ...groups] = readFileSync(file, "utf8").split("\n");
      await part.daemon.kill();
      process.kill(supervisor, "SIGKILL");
      await until(
        () => isAlive(pid),
        (alive) => !alive,
      );
      const innocent = Bun.spawn(["sleep", "600"]);
      try {
        writeFileSync(file, [`${innocent.pid} 1 ${innocent.pid} 1`, ...groups].join("\n"));
        await part.daemon.start();
        expect((await stateOf(id)).Status).toBe("exited");
        await part.daemon.request("POST", `/containers/${id}/kill`);
        expect((await part.daemon.request("POST", `/containers/${id}/stop`)).status).toBe(304);
        await part.remove(id);
        expect(innocent.exitCode).toBe(null);
        expect(innocent.signalCode).toBe(null);
      } finally {
        innocent.kill();
        await innocent.exited;
      }
    },
    PATIENCE,
  );
});

describe("a start that fails", () => {
  interface Failure {
    readonly settings?: object;
    readonly host?: object;
    readonly says: RegExp;
    /** Between creation and start. Returns what mends it. */
    spoil(id: string): () => unknown;
  }
  /** Where what a container wrote is, and what it finds. */
  const layerOf = (id: string) => `${part.daemon.dataRoot}/overlay2/${id}/diff`;
  const failures: Record<string, () => Failure> = {
    "for a port that is taken": () => {
      const listener = Bun.listen({ hostname: "0.0.0.0", port: 0, socket: { data() {} } });
      return {
        host: { PortBindings: { "80/tcp": [{ HostPort: String(listener.port) }] } },
        says: /port is already allocated|address already in use/,
        spoil: () => () => listener.stop(true),
      };
    },
    "for a bind source that has gone": () => {
      const source = `${directory}/source`;
      mkdirSync(source);
      return {
        host: { Mounts: [{ Type: "bind", Source: source, Target: "/data" }] },
        says: /source/,
        spoil: () => {
          rmdirSync(source);
          return () => mkdirSync(source);
        },
      };
    },
    "for a user that nobody knows": () => ({
      settings: { User: "ghost" },
      says: /unable to find user ghost/,
      spoil: (id) => () => {
        mkdirSync(`${layerOf(id)}/etc`, { recursive: true });
        writeFileSync(`${layerOf(id)}/etc/passwd`, "ghost:x:7:7::/:/bin/sh\n");
      },
    }),
    "for a program that is not there": () => ({
      settings: { Entrypoint: ["/opt/program"] },
      says: /no such file or directory/,
      spoil: (id) => () => {
        mkdirSync(`${layerOf(id)}/opt`, { recursive: true });
        writeFileSync(`${layerOf(id)}/opt/program`, "#!/bin/sh\nexec sleep 600\n", { mode: 0o755 });
      },
    }),
    "for a working directory that is a file": () => ({
      settings: { WorkingDir: "/opt" },
      says: /opt/,
      spoil: (id) => {
        writeFileSync(`${layerOf(id)}/opt`, "");
        return () => rm(`${layerOf(id)}/opt`);
      },
    }),
  };

  test.each(Object.keys(failures))(
    "F13: %s leaves nothing, and the same container starts once that is mended",
    async (name) => {
      const failure = failures[name]?.() as Failure;
      const { Id: id } = await part.ask<{ Id: string }>("POST", "/containers/create", {
        Image: "busybox",
        Cmd: ["sleep", "600"],
        ...failure.settings,
        HostConfig: failure.host ?? {},
      });
      const mend = failure.spoil(id);
      const look = async () => ({
        ...(await hostState(part.daemon.cgroupParent)),
        exec: tree(part.daemon.execRoot),
      });
      // The kernel takes its time with the link of the one before.
      await until(
        () => readFileSync("/proc/self/net/dev", "utf8"),
        (links) => !links.includes("veth"),
      );
      const before = await look();
      const reply = await part.daemon.request("POST", `/containers/${id}/start`);
      expect([reply.ok, await reply.text()]).toEqual([false, expect.stringMatching(failure.says)]);
      expect(hostDifference(before, await look())).toEqual([]);
      expect((await stateOf(id)).Status).toBe("created");
      await mend();
      await part.ask("POST", `/containers/${id}/start`);
      expect((await stateOf(id)).Status).toBe("running");
      await part.remove(id);
    },
    PATIENCE,
  );
});
