import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { Fault } from "#errors";
import { openHouse } from "./house.ts";

type House = Awaited<ReturnType<typeof openHouse>>;

const status = (house: House, id: string) => house.containers.get(id)?.state.status;

async function started(house: House, ...asked: Parameters<House["create"]>) {
  const container = await house.create(...asked);
  await house.run("container.start", { ref: container.id });
  return { id: container.id, process: house.exec.last };
}

const PORT = { portBindings: { "80/tcp": [{ hostIp: "", hostPort: "8020" }] } };

describe("starting", () => {
  test("prepares the network, launches, and records what runs", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house, PORT, { tty: true, openStdin: true });
    expect(house.containers.find(id).state).toMatchObject({
      status: "running",
      pid: process.pid,
      startTicks: "1",
    });
    expect(house.networks.requests[0]).toMatchObject({
      containerId: id,
      hostname: id.slice(0, 12),
      mode: { kind: "bridge", network: "bridge" },
      ports: [{ containerPort: 80, hostPort: 8020 }],
    });
    expect(house.networks.opened).toEqual([id]);
    expect(house.exec.requests[0]?.stdio).toMatchObject({
      terminal: true,
      openStdin: true,
      log: { path: house.containers.find(id).logPath, maxFiles: 1 },
    });
    expect(await house.happened()).toEqual(["create", "network connect", "start"]);
  });

  test("what runs changes nothing", async () => {
    await using house = await openHouse();
    const { id } = await started(house);
    expect(await house.run("container.start", { ref: id })).toEqual({ changed: false });
    expect(house.exec.processes.length).toBe(1);
  });

  test("twice at the same time launches once", async () => {
    await using house = await openHouse();
    const { id } = await house.create();
    const results = await Promise.all([1, 2, 3].map(() => house.run("container.start", { ref: id })));
    expect(results.filter(({ changed }) => changed).length).toBe(1);
    expect(house.exec.processes.length).toBe(1);
  });

  test("what is paused says to unpause it", async () => {
    await using house = await openHouse();
    const { id } = await started(house);
    await house.run("container.pause", { ref: id });
    expect(house.run("container.start", { ref: id })).rejects.toThrow("try unpause instead");
  });

  test("after an end begins a new life, with no count of restarts", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    process.end({ code: 3 });
    await house.rooms.monitor.committed(id);
    house.containers.change(id, (one) => ({ ...one, restartCount: 5 }));
    await house.run("container.start", { ref: id });
    expect(house.containers.find(id)).toMatchObject({
      restartCount: 0,
      state: { status: "running", exitCode: 0, finishedAt: "0001-01-01T00:00:00Z" },
    });
  });

  test("in the network of a container that does not run says so", async () => {
    await using house = await openHouse();
    const other = await house.create({}, {}, "other");
    const { id } = await house.create({ networkMode: "container:other" });
    expect(house.containers.find(id).spec.host.networkMode).toBe(`container:${other.id}`);
    expect(house.containers.find(id).effective.hostname).toBe(other.id.slice(0, 12));
    const failure = await house.run("container.start", { ref: id }).catch((e) => e);
    expect(failure.message).toContain(
      "cannot join network namespace of a non running container: container other",
    );
    await house.run("container.start", { ref: other.id });
    await house.run("container.start", { ref: id });
    expect(house.networks.requests.at(-1)?.mode).toEqual({ kind: "container", id: other.id, pid: 1000 });
  });
});

describe("the IPC namespace of another container", () => {
  test("is joined when that one is shareable, and only then", async () => {
    await using house = await openHouse();
    for (const [name, ipcMode] of [
      ["open", "shareable"],
      ["closed", ""],
    ] as const) {
      const { id } = await house.create({ ipcMode }, {}, name);
      await house.run("container.start", { ref: id });
    }
    const guest = await house.create({ ipcMode: "container:open" });
    await house.run("container.start", { ref: guest.id });
    const stranger = await house.create({ ipcMode: "container:closed" });
    expect(house.run("container.start", { ref: stranger.id })).rejects.toThrow("use IpcMode:shareable");
  });
});

describe("a start that fails leaves nothing (F13)", () => {
  const breakages: readonly (readonly [string, (house: House) => void, number])[] = [
    [
      "at the network",
      ({ networks }) =>
        void Object.assign(networks, { prepareFailure: new Fault("conflict", "port is already allocated") }),
      128,
    ],
    [
      "at the layer",
      ({ driver }) => void Object.assign(driver, { viewFailure: new Error("no overlay") }),
      128,
    ],
    ["at the launch", ({ exec }) => void Object.assign(exec, { prepareFailure: new Error("no clone") }), 128],
    [
      "at the rules",
      ({ networks }) => void Object.assign(networks, { openFailure: new Error("no rules") }),
      128,
    ],
    [
      "at a missing program",
      ({ exec }) =>
        void Object.assign(exec, {
          startFailure: new Fault("invalid", 'exec: "x": executable file not found in $PATH'),
        }),
      127,
    ],
    [
      "at a program that is none",
      ({ exec }) =>
        void Object.assign(exec, { startFailure: new Fault("invalid", "exec x: permission denied") }),
      126,
    ],
    [
      "at the record, after the program has begun",
      ({ containers }) => {
        const { change } = containers;
        containers.change = (id, next, options) => {
          containers.change = change;
          throw new Error(`disk full ${id} ${next.length} ${options?.durable}`);
        };
      },
      128,
    ],
  ];
  for (const [where, breakIt, code] of breakages)
    test(where, async () => {
      await using house = await openHouse();
      const source = `${house.root}/made`;
      const { id } = await house.create({ ...PORT, binds: [`${source}:/x`] });
      const wait = await house.run("container.wait", { ref: id, condition: "next-exit" });
      const attach = await house.run("container.attach", {
        ref: id,
        stdin: false,
        stdout: true,
        stderr: true,
        stream: true,
        logs: false,
        detachKeys: "",
      });
      breakIt(house);
      const failure = await house.run("container.start", { ref: id }).catch((e) => e);
      expect(failure).toBeInstanceOf(Error);
      expect(house.containers.find(id).state).toMatchObject({
        status: "created",
        pid: 0,
        exitCode: code,
        error: failure.message,
      });
      expect(await wait.result).toEqual({ code });
      // Who was connected before the exec sees the end of its stream; the others learn why.
      const opened = await attach.open.catch((thrown) => thrown);
      if (code === 128 && house.exec.processes.length === 0) expect(opened).toBe(failure);
      expect(house.networks.held.size).toBe(0);
      expect(house.exec.undone.length).toBe(house.exec.requests.length - house.exec.processes.length);
      expect(house.exec.processes.flatMap(({ signals }) => signals)).toEqual(
        house.exec.processes.map(() => 9),
      );
      expect(house.rooms.monitor.live(id)).toBeUndefined();
      // After an exec the folder of a bind is the user's.
      expect(existsSync(source)).toBe(house.exec.processes.length > 0);
      expect(house.complaints).toEqual([]);
    });

  test("and the same container starts once the cause is gone", async () => {
    await using house = await openHouse();
    const { id } = await house.create(PORT);
    house.networks.openFailure = new Error("no rules");
    await house.run("container.start", { ref: id }).catch(() => {});
    house.networks.openFailure = undefined;
    expect(await house.run("container.start", { ref: id })).toEqual({ changed: true });
    expect(house.containers.find(id).state.error).toBe("");
  });

  test("and a container that is to live once goes", async () => {
    await using house = await openHouse();
    const { id } = await house.create({ autoRemove: true });
    const wait = await house.run("container.wait", { ref: id, condition: "removed" });
    house.exec.startFailure = new Fault("invalid", "executable file not found in $PATH");
    expect(house.run("container.start", { ref: id })).rejects.toThrow("executable file not found");
    expect((await wait.result).code).toBe(127);
    expect(house.containers.list()).toEqual([]);
  });

  test("a port taken since it was chosen says by whom", async () => {
    await using house = await openHouse();
    const { id } = await house.create(PORT);
    house.exec.prepareFailure = new Fault(
      "conflict",
      "Bind for 0.0.0.0:8020 failed: port is already allocated (tcp)",
    );
    expect(house.run("container.start", { ref: id })).rejects.toThrow(
      "port is already allocated: by another",
    );
  });
});

describe("attaching before the start", () => {
  test("connects when the program cannot yet have written", async () => {
    await using house = await openHouse();
    const { id } = await house.create({}, { openStdin: true });
    const wanted = { stdin: true, stdout: true, stderr: false, stream: true, logs: false, detachKeys: "" };
    const attach = await house.run("container.attach", { ref: id, ...wanted });
    await house.run("container.start", { ref: id });
    await attach.open;
    expect(house.exec.last.attached).toEqual([{ stdin: true, stdout: true, stderr: false }]);
    expect(await house.happened()).toEqual(["create", "attach", "network connect", "start"]);
  });

  test("is forgotten when its client goes", async () => {
    await using house = await openHouse();
    const { id } = await house.create();
    const wanted = { stdin: true, stdout: true, stderr: true, stream: true, logs: false, detachKeys: "" };
    const attach = await house.run("container.attach", { ref: id, ...wanted });
    attach.cancel();
    expect(attach.open).rejects.toThrow("given up");
    await house.run("container.start", { ref: id });
    expect(house.exec.last.attached).toEqual([]);
  });

  test("asks for no input of a container that reads none", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    const wanted = { stdin: true, stdout: true, stderr: true, stream: true, logs: false, detachKeys: "" };
    await (await house.run("container.attach", { ref: id, ...wanted })).open;
    expect(process.attached).toEqual([{ stdin: false, stdout: true, stderr: true }]);
  });
});

describe("stopping", () => {
  test("sends the stop signal, waits for the end, and then says so", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house, {}, { stopSignal: "SIGQUIT" });
    process.deadly = [3];
    expect(await house.run("container.stop", { ref: id })).toEqual({ changed: true });
    expect(process.signals).toEqual([3]);
    expect(house.containers.find(id)).toMatchObject({
      isManuallyStopped: true,
      state: { status: "exited", exitCode: 131 },
    });
    expect(await house.happened()).toEqual([
      "create",
      "network connect",
      "start",
      "kill",
      "network disconnect",
      "die",
      "stop",
    ]);
    expect(house.networks.held.size).toBe(0);
    expect(house.exec.forgotten).toEqual([id]);
  });

  test("kills at once with a time of 0", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    await house.run("container.stop", { ref: id, timeoutSeconds: 0 });
    expect(process.signals).toEqual([9]);
  });

  test("kills what does not obey when its time is up, and a kill need not wait for that", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    process.deadly = [9];
    const stopping = house.run("container.stop", { ref: id, timeoutSeconds: -1 });
    await house.run("container.kill", { ref: id, signal: "KILL" });
    expect(await stopping).toEqual({ changed: true });
    expect(process.signals).toEqual([15, 9]);
  });

  test("thaws what is paused", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    await house.run("container.pause", { ref: id });
    await house.run("container.stop", { ref: id });
    expect(process.signals).toEqual([15]);
    expect(status(house, id)).toBe("exited");
  });

  test("ends what was paused at the moment of its death", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    const frozen = Promise.withResolvers<void>();
    process.signal = async (number) => {
      process.signals.push(number);
      setImmediate(() => frozen.resolve(house.run("container.pause", { ref: id }).then(() => undefined)));
    };
    await house.run("container.kill", { ref: id, signal: "KILL" });
    await frozen.promise;
    expect([process.signals, status(house, id)]).toEqual([[9], "exited"]);
  });

  test("what does not run changes nothing", async () => {
    await using house = await openHouse();
    const { id } = await house.create();
    expect(await house.run("container.stop", { ref: id })).toEqual({ changed: false });
  });

  test("ends the policy's restarts, also between two lives", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house, { restartPolicy: { name: "always", maximumRetryCount: 0 } });
    process.end({ code: 1 });
    await house.rooms.monitor.committed(id);
    expect(status(house, id)).toBe("restarting");
    expect(await house.run("container.stop", { ref: id })).toEqual({ changed: true });
    expect(status(house, id)).toBe("exited");
  });
});

describe("killing", () => {
  test("with another signal than the stop signal is no stop by a person", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    await house.run("container.kill", { ref: id, signal: "HUP" });
    expect(process.signals).toEqual([1]);
    expect(house.containers.find(id).isManuallyStopped).toBe(false);
    await house.run("container.kill", { ref: id, signal: "TERM" });
    expect(house.containers.find(id).isManuallyStopped).toBe(true);
  });

  test("what does not run, or with no signal, is refused", async () => {
    await using house = await openHouse();
    const { id } = await house.create({}, {}, "web");
    expect(house.run("container.kill", { ref: "web", signal: "KILL" })).rejects.toThrow(
      `cannot kill container: web: container ${id} is not running`,
    );
    expect(house.run("container.kill", { ref: id, signal: "SIGNOPE" })).rejects.toThrow(
      "Invalid signal: SIGNOPE",
    );
  });
});

describe("restarting", () => {
  test("stops and starts, and keeps a container that is to live once", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house, { autoRemove: true });
    await house.run("container.restart", { ref: id });
    expect(process.signals).toEqual([15]);
    expect(house.exec.processes.length).toBe(2);
    expect(status(house, id)).toBe("running");
    expect((await house.happened()).slice(-4)).toEqual(["stop", "network connect", "start", "restart"]);
  });

  test("starts what does not run", async () => {
    await using house = await openHouse();
    const { id } = await house.create();
    await house.run("container.restart", { ref: id });
    expect(status(house, id)).toBe("running");
  });
});

describe("removing", () => {
  test("takes everything away, anonymous volumes when asked", async () => {
    await using house = await openHouse();
    const { id, directory } = await house.create({ binds: ["named:/n"] }, { volumes: ["/anon"] });
    await house.run("container.remove", { ref: id, force: false, volumes: true, link: false });
    expect(house.containers.list()).toEqual([]);
    expect(house.driver.layers.size).toBe(0);
    expect(existsSync(directory)).toBe(false);
    expect(house.rooms.volumes.list().map(({ name }) => name)).toEqual(["named"]);
    expect(house.rooms.volumes.usersOf("named")).toEqual([]);
    expect(await house.happened()).toEqual(["create", "volume destroy", "destroy"]);
  });

  test("what runs is refused without force", async () => {
    await using house = await openHouse();
    const { id } = await started(house, {}, {}, "web");
    expect(
      house.run("container.remove", { ref: id, force: false, volumes: false, link: false }),
    ).rejects.toThrow(
      'cannot remove container "/web": container is running: stop the container before removing or force remove',
    );
    expect(status(house, id)).toBe("running");
  });

  test("with force kills it first", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    const wait = await house.run("container.wait", { ref: id, condition: "removed" });
    await house.run("container.remove", { ref: id, force: true, volumes: false, link: false });
    expect(process.signals).toEqual([9]);
    expect(await wait.result).toEqual({ code: 137 });
    expect(house.networks.held.size).toBe(0);
  });

  test("by many at once succeeds for one (C7)", async () => {
    await using house = await openHouse();
    const { id } = await started(house);
    const results = await Promise.allSettled(
      [1, 2, 3, 4].map(() =>
        house.run("container.remove", { ref: id, force: true, volumes: false, link: false }),
      ),
    );
    expect(results.filter(({ status }) => status === "fulfilled").length).toBe(1);
    for (const one of results)
      if (one.status === "rejected")
        expect(one.reason.message).toBe(`removal of container ${id} is already in progress`);
  });

  test("of itself at its end (--rm) does not disturb a removal by force", async () => {
    await using house = await openHouse();
    const { id } = await started(house, { autoRemove: true });
    await house.run("container.remove", { ref: id, force: true, volumes: false, link: false });
    expect(house.containers.list()).toEqual([]);
    expect(house.complaints).toEqual([]);
  });

  test("that fails leaves it dead, and may be tried again", async () => {
    await using house = await openHouse();
    const { id } = await house.create();
    house.driver.removeFailure = new Error("device busy");
    const request = { ref: id, force: false, volumes: false, link: false };
    expect(house.run("container.remove", request)).rejects.toThrow("device busy; remove it again");
    await house.run("container.remove", request).catch(() => {});
    expect(status(house, id)).toBe("dead");
    house.driver.removeFailure = undefined;
    await house.run("container.remove", request);
    expect(house.containers.list()).toEqual([]);
  });

  test("comes by itself after the end of what is to live once, with its volumes", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house, { autoRemove: true }, { volumes: ["/anon"] });
    const wait = await house.run("container.wait", { ref: id, condition: "removed" });
    process.end({ code: 4 });
    expect(await wait.result).toEqual({ code: 4 });
    expect(house.containers.list()).toEqual([]);
    expect(house.rooms.volumes.list()).toEqual([]);
    expect((await house.happened()).slice(-3)).toEqual(["die", "volume destroy", "destroy"]);
  });
});

describe("pausing", () => {
  test("and going on change the status, and only then", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    await house.run("container.pause", { ref: id });
    expect([await process.isPaused(), status(house, id)]).toEqual([true, "paused"]);
    expect(house.run("container.pause", { ref: id })).rejects.toThrow("is already paused");
    await house.run("container.unpause", { ref: id });
    expect([await process.isPaused(), status(house, id)]).toEqual([false, "running"]);
    expect(house.run("container.unpause", { ref: id })).rejects.toThrow("is not paused");
  });

  test("what does not run is refused", async () => {
    await using house = await openHouse();
    const { id } = await house.create();
    expect(house.run("container.pause", { ref: id })).rejects.toThrow(`Container ${id} is not running`);
  });
});

describe("pausing what ends meanwhile", () => {
  const steps = ["pause", "unpause"] as const;
  test.each(steps)("%s says that it does not run", async (step) => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    if (step === "unpause") await house.run("container.pause", { ref: id });
    const gone = async () => {
      process.end();
      throw new Fault("internal", "Cannot write to its group");
    };
    process.pause = gone;
    process.resume = gone;
    const turning = house.run(`container.${step}`, { ref: id });
    expect(turning).rejects.toThrow(`Container ${id} is not running`);
  });
});

describe("renaming", () => {
  test("is said with the old name, and refuses the same one", async () => {
    await using house = await openHouse();
    const { id } = await house.create({}, {}, "before");
    await house.run("container.rename", { ref: "before", name: "after" });
    expect(house.containers.find("after").id).toBe(id);
    expect(house.run("container.rename", { ref: id, name: "after" })).rejects.toThrow("same name");
    expect(house.run("container.rename", { ref: id, name: "" })).rejects.toThrow("may be empty");
  });
});

describe("updating", () => {
  test("keeps what is not mentioned, and a policy of what lives once", async () => {
    await using house = await openHouse();
    const { id } = await started(house, { resources: { memory: 64e6, cpuShares: 5 } });
    await house.run("container.update", {
      ref: id,
      resources: { cpuShares: 7 },
      restartPolicy: { name: "always", maximumRetryCount: 0 },
    });
    expect(house.containers.find(id).spec.host).toMatchObject({
      resources: { memory: 64e6, cpuShares: 7 },
      restartPolicy: { name: "always" },
    });
    const once = await house.create({ autoRemove: true });
    const update = {
      ref: once.id,
      resources: {},
      restartPolicy: { name: "always", maximumRetryCount: 0 },
    } as const;
    expect(house.run("container.update", update)).rejects.toThrow("AutoRemove is enabled");
  });
});

describe("commands in a container", () => {
  const SPEC = {
    args: ["ls", "-l"],
    env: [],
    user: "",
    workingDirectory: "",
    tty: false,
    privileged: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    detachKeys: "",
  };

  test("run, end, and are remembered until the container goes", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    const exec = await house.run("exec.create", { ref: id, spec: SPEC });
    const { exited, stream } = await house.run("exec.start", { id: exec.id, attach: true });
    expect(stream).toBeDefined();
    expect(await house.run("exec.inspect", { id: exec.id })).toMatchObject({
      isRunning: true,
      exitCode: null,
      pid: 77,
    });
    process.execs[0]?.end(5);
    await exited;
    expect(await house.run("exec.inspect", { id: exec.id })).toMatchObject({ isRunning: false, exitCode: 5 });
    expect((await house.happened()).slice(-3)).toEqual([
      "exec_create: ls -l",
      "exec_start: ls -l",
      "exec_die",
    ]);
    expect(house.run("exec.start", { id: exec.id, attach: true })).rejects.toThrow("has already run");
    await house.run("container.remove", { ref: id, force: true, volumes: false, link: false });
    expect(house.run("exec.inspect", { id: exec.id })).rejects.toThrow("No such exec instance");
  });

  for (const [words, code] of [
    ['exec: "x": executable file not found in $PATH', 127],
    ["exec x: permission denied", 126],
    ["something else", 126],
  ] as const)
    test(`that cannot run (${words}) tell an attached client so and end with ${code}`, async () => {
      await using house = await openHouse();
      const { id, process } = await started(house);
      process.execFailure = new Fault("invalid", words);
      const exec = await house.run("exec.create", { ref: id, spec: SPEC });
      const { failure, stream } = await house.run("exec.start", { id: exec.id, attach: true });
      expect([failure, stream]).toEqual([words, undefined]);
      expect(await house.run("exec.inspect", { id: exec.id })).toMatchObject({ exitCode: code });
      const other = await house.run("exec.create", { ref: id, spec: SPEC });
      expect(house.run("exec.start", { id: other.id, attach: false })).rejects.toThrow(words);
    });

  test("are refused unless it runs", async () => {
    await using house = await openHouse();
    const idle = await house.create();
    expect(house.run("exec.create", { ref: idle.id, spec: SPEC })).rejects.toThrow(
      `container ${idle.id} is not running`,
    );
    const { id } = await started(house);
    await house.run("container.pause", { ref: id });
    expect(house.run("exec.create", { ref: id, spec: SPEC })).rejects.toThrow(
      "unpause the container before exec",
    );
    expect(house.run("exec.create", { ref: id, spec: { ...SPEC, args: [] } })).rejects.toThrow();
  });
});
