import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { Fault } from "#errors";
import { type House, openHouse, started } from "./house.ts";

const PORT = { portBindings: { "80/tcp": [{ hostIp: "", hostPort: "8020" }] } };

describe("starting", () => {
  test("prepares the network, launches, and records what runs", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house, PORT, { tty: true, openStdin: true });
    expect(house.containers.find(id).state).toMatchObject({
      status: "running",
      pid: process.pid,
      startTicks: process.startTicks,
    });
    expect(house.networks.requests[0]).toMatchObject({
      containerId: id,
      hostname: id.slice(0, 12),
      mode: { kind: "networks" },
      endpoints: [{ network: "bridge" }],
      ports: [{ containerPort: 80, hostPort: 8020 }],
    });
    expect(house.networks.opened).toEqual([id]);
    expect(house.exec.requests[0]?.stdio).toMatchObject({
      terminal: true,
      openStdin: true,
      log: [{ kind: "json-file", path: house.containers.find(id).logPath, maxFiles: 1, compress: false }],
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
    expect(house.networks.requests.at(-1)?.mode).toEqual({
      kind: "container",
      id: other.id,
      pid: process.pid,
    });
  });

  test.each(["networkMode", "pidMode", "ipcMode"] as const)(
    "with the %s of a container whose pid is another process's by then runs nothing",
    async (mode) => {
      await using house = await openHouse();
      const other = await house.create({ ipcMode: "shareable" }, {}, "other");
      await house.run("container.start", { ref: other.id });
      house.containers.change(other.id, (one) => ({ ...one, state: { ...one.state, startTicks: "1" } }));
      const { id } = await house.create({ [mode]: "container:other" });
      const failure = await house.run("container.start", { ref: id }).catch((e) => e);
      expect(failure.message).toContain("cannot join a namespace of container other: it has ended meanwhile");
      expect(house.containers.find(id).state.status).toBe("created");
    },
  );
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
