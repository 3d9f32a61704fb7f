import { describe, expect, test } from "bun:test";
import type { HostSpec } from "#container";
import { recoverContainers } from "#jobs";
import { FakeProcess } from "../../fakes/exec.ts";
import { openHouse } from "./house.ts";

type House = Awaited<ReturnType<typeof openHouse>>;

/** A container whose record says what an earlier daemon last knew. */
async function remembered(house: House, host: Partial<HostSpec>, state: Record<string, unknown>) {
  const { id } = await house.create(host);
  house.containers.change(id, (one) => ({
    ...one,
    state: { ...one.state, startedAt: "2026-01-02T03:04:05.000000000Z", ...state },
  }));
  return id;
}

const RUNNING = { status: "running", pid: 4, startTicks: "9" };
const always = { restartPolicy: { name: "always", maximumRetryCount: 0 } } as const;
const unlessStopped = { restartPolicy: { name: "unless-stopped", maximumRetryCount: 0 } } as const;
const TIME = 1_767_323_050_000_000_000n;

describe("a daemon that finds containers of an earlier one", () => {
  test("watches again what runs", async () => {
    await using house = await openHouse();
    const id = await remembered(house, {}, RUNNING);
    const process = new FakeProcess(id, 4);
    house.exec.found.set(id, { state: "running", container: process });
    const recovery = await recoverContainers(house.rooms);
    expect([...recovery.running.keys()]).toEqual([id]);
    expect([...recovery.layers]).toEqual([house.containers.find(id).layer as never]);
    process.end({ code: 6 });
    await house.rooms.monitor.committed(id);
    expect(house.containers.find(id).state).toMatchObject({ status: "exited", exitCode: 6 });
  });

  test("believes the freezer, not the record, about what is paused", async () => {
    await using house = await openHouse();
    const id = await remembered(house, {}, RUNNING);
    const process = new FakeProcess(id, 4);
    await process.pause();
    house.exec.found.set(id, { state: "running", container: process });
    await recoverContainers(house.rooms);
    expect(house.containers.find(id).state.status).toBe("paused");
  });

  test("knows the code and time of what has ended meanwhile", async () => {
    await using house = await openHouse();
    const id = await remembered(house, {}, RUNNING);
    house.exec.found.set(id, { state: "ended", exit: { code: 7, outOfMemory: true, time: TIME } });
    const recovery = await recoverContainers(house.rooms);
    expect(recovery.running.size).toBe(0);
    expect(house.containers.find(id).state).toMatchObject({
      status: "exited",
      exitCode: 7,
      outOfMemory: true,
      finishedAt: "2026-01-02T03:04:10.000000000Z",
    });
    await recovery.settle();
    expect(house.exec.forgotten).toEqual([id]);
    expect((await house.happened()).at(-1)).toBe("die");
  });

  test("takes over what had been started and not yet been written down (E1)", async () => {
    await using house = await openHouse();
    const { id } = await house.create({});
    const process = new FakeProcess(id, 4);
    house.exec.found.set(id, { state: "running", container: process });
    const recovery = await recoverContainers(house.rooms);
    expect([...recovery.running.keys()]).toEqual([id]);
    await recovery.settle();
    expect(house.exec.forgotten).toEqual([]);
    expect(house.containers.find(id).state).toMatchObject({ status: "running", pid: 4 });
    process.end({ code: 6 });
    await house.rooms.monitor.committed(id);
    expect(house.containers.find(id).state).toMatchObject({ status: "exited", exitCode: 6 });
  });

  test("knows the end of a life that had not been written down, and no end twice", async () => {
    await using house = await openHouse();
    const { id } = await house.create({});
    const exit = { code: 7, outOfMemory: false, time: TIME };
    house.exec.found.set(id, { state: "ended", exit });
    await recoverContainers(house.rooms);
    await recoverContainers(house.rooms);
    expect(house.containers.find(id).state).toMatchObject({ status: "exited", exitCode: 7 });
    expect((await house.happened()).filter((action) => action === "die")).toEqual(["die"]);
  });

  test("leaves alone what somebody has started while it was settling", async () => {
    await using house = await openHouse();
    const id = await remembered(house, {}, { status: "exited" });
    const recovery = await recoverContainers(house.rooms);
    house.containers.change(id, (one) => ({
      ...one,
      state: { ...one.state, ...RUNNING, status: "running" },
    }));
    await recovery.settle();
    expect(house.exec.forgotten).toEqual([]);
  });

  test("counts what is lost as ended with 255 (E10), and starts what its policy wants", async () => {
    await using house = await openHouse();
    const lost = await remembered(house, {}, RUNNING);
    const wanted = await remembered(house, always, RUNNING);
    const recovery = await recoverContainers(house.rooms);
    expect(house.containers.find(lost).state).toMatchObject({ status: "exited", exitCode: 255, pid: 0 });
    await recovery.settle();
    expect(house.exec.processes.map(({ id }) => id)).toEqual([wanted]);
    expect(house.containers.find(wanted).state.status).toBe("running");
  });

  test("lets rest what a person stopped, unless its policy is always", async () => {
    await using house = await openHouse();
    const exited = { status: "exited", exitCode: 0 };
    const resting = await remembered(house, unlessStopped, exited);
    const stubborn = await remembered(house, always, exited);
    for (const id of [resting, stubborn])
      house.containers.change(id, (one) => ({ ...one, isManuallyStopped: true }));
    await (await recoverContainers(house.rooms)).settle();
    expect(house.exec.processes.map(({ id }) => id)).toEqual([stubborn]);
  });

  describe("starts in the order in which they need each other", () => {
    const NEEDS = {
      "a namespace of another": (id: string) => ({ host: { networkMode: `container:${id}` } }),
      "volumes of another": (id: string) => ({ host: { volumesFrom: [`${id}:ro`] } }),
      "a link to another": (child: string) => ({ link: { alias: "other", child } }),
    } as const;
    type Need = { readonly host?: Partial<HostSpec>; readonly link?: { alias: string; child: string } };

    /** Each needs the next, and the last the first if they stand in a circle. They are made in the order of their names. */
    async function three(house: House, kinds: readonly (keyof typeof NEEDS)[]) {
      const ids: string[] = [];
      for (const name of ["one", "two", "three"]) {
        const { id } = await house.create(always, {}, name);
        house.containers.change(id, (container) => ({
          ...container,
          state: { ...container.state, status: "exited", startedAt: "2026-01-02T03:04:05.000000000Z" },
        }));
        ids.push(id);
      }
      kinds.forEach((kind, index) => {
        const id = ids[index] ?? "";
        const { host = {}, link }: Need = NEEDS[kind](ids[(index + 1) % 3] ?? "");
        house.containers.change(id, (container) => ({
          ...container,
          spec: { ...container.spec, host: { ...container.spec.host, ...host } },
        }));
        if (link !== undefined) house.containers.links.keep([{ parent: id, ...link }]);
      });
      return ids;
    }
    const started = (house: House) => house.exec.processes.map(({ id }) => house.containers.find(id).name);

    test.each([
      [
        ["a namespace of another", "volumes of another"],
        ["three", "two", "one"],
      ],
      [
        ["volumes of another", "a link to another"],
        ["three", "two", "one"],
      ],
      [["volumes of another"], ["two", "one", "three"]],
      [[], ["one", "two", "three"]],
    ] as const)("%p: %p", async (kinds, order) => {
      await using house = await openHouse();
      await three(house, kinds);
      await (await recoverContainers(house.rooms)).settle();
      expect(started(house)).toEqual([...order]);
      expect(house.complaints).toEqual([]);
    });

    test("and a circle is broken, with a warning", async () => {
      await using house = await openHouse();
      await three(house, ["volumes of another", "volumes of another", "volumes of another"]);
      await (await recoverContainers(house.rooms)).settle();
      expect(started(house)).toEqual(["three", "two", "one"]);
      expect(house.complaints).toEqual(["Cannot start every container after those it needs"]);
    });

    test("and one whose need is not met stays down alone, with the reason", async () => {
      await using house = await openHouse();
      const ids = await three(house, ["a namespace of another"]);
      house.containers.change(ids[1] ?? "", (container) => ({
        ...container,
        spec: {
          ...container.spec,
          host: { ...container.spec.host, restartPolicy: { name: "no", maximumRetryCount: 0 } },
        },
      }));
      await (await recoverContainers(house.rooms)).settle();
      expect(started(house)).toEqual(["three"]);
      expect(house.containers.find("one").state).toMatchObject({
        status: "exited",
        error: expect.stringContaining("cannot join network namespace of a non running container"),
      });
    });
  });

  test("goes on with a restart that was due", async () => {
    await using house = await openHouse();
    const id = await remembered(house, always, { status: "restarting" });
    await (await recoverContainers(house.rooms)).settle();
    expect(house.containers.find(id).state.status).toBe("running");
  });

  test("starts nothing that has never run", async () => {
    await using house = await openHouse();
    await house.create(always);
    await (await recoverContainers(house.rooms)).settle();
    expect(house.exec.processes).toEqual([]);
  });

  test("removes what was being removed, and what was to live once", async () => {
    await using house = await openHouse();
    await remembered(house, {}, { status: "removing" });
    await remembered(house, { autoRemove: true }, RUNNING);
    await (await recoverContainers(house.rooms)).settle();
    expect(house.containers.list()).toEqual([]);
    expect(house.driver.layers.size).toBe(0);
  });

  test("keeps the volumes of what was being removed, unless it was to live once (E14)", async () => {
    await using house = await openHouse();
    const names: string[] = [];
    for (const autoRemove of [false, true]) {
      const id = await remembered(house, { autoRemove }, { status: "removing" });
      const { name, mountpoint } = await house.rooms.volumes.create({});
      names.push(name);
      house.rooms.volumes.hold(name, id);
      house.containers.change(id, (one) => ({
        ...one,
        mounts: [{ type: "volume", name, isAnonymous: true, source: mountpoint } as never],
      }));
    }
    await (await recoverContainers(house.rooms)).settle();
    expect(names.map((name) => house.rooms.volumes.find(name) !== undefined)).toEqual([true, false]);
  });

  test("is not stopped by one that it cannot find out about", async () => {
    await using house = await openHouse();
    const broken = await remembered(house, {}, RUNNING);
    const fine = await remembered(house, {}, RUNNING);
    const { find } = house.exec;
    house.exec.find = (id) => (id === broken ? Promise.reject(new Error("io")) : find.call(house.exec, id));
    await recoverContainers(house.rooms);
    expect(house.containers.find(fine).state.status).toBe("exited");
    expect(house.complaints.length).toBe(1);
  });

  test("keeps what belongs to a record that it cannot read", async () => {
    await using house = await openHouse();
    house.containers.damaged.set("bad", "The record cannot be read");
    const recovery = await recoverContainers(house.rooms);
    expect([...recovery.known]).toEqual(["bad"]);
    expect([...recovery.layers]).toEqual(["bad" as never]);
  });
});
