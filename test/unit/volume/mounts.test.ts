import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { GraphDB } from "#graphdb";
import { localVolumes, openVolumes } from "#volume";
import { scratch } from "../../fakes/scratch.ts";
import { FakeVolumeDriver } from "../../fakes/volume-driver.ts";

const roots: AsyncDisposable[] = [];
afterAll(() => Promise.all(roots.map((root) => root[Symbol.asyncDispose]())));

async function house() {
  const place = await scratch();
  roots.push(place);
  const database = new GraphDB(":memory:");
  const driver = new FakeVolumeDriver(place.path);
  const complaints: string[] = [];
  const open = () =>
    openVolumes({
      database,
      root: `${place.path}/volumes`,
      kinds: [localVolumes, driver.kind],
      complain: (sentence) => complaints.push(sentence),
    });
  const volumes = await open();
  await volumes.create({ name: "data", driver: "fake" });
  driver.calls.length = 0;
  return { volumes, driver, complaints, open, place };
}

describe("a volume that must be mounted", () => {
  test("is mounted by each holder, and the last is told that it is the last", async () => {
    const { volumes, driver } = await house();
    await volumes.mount("data", "c1");
    await volumes.mount("data", "c2");
    expect(volumes.holdersOf("data")).toEqual(["c1", "c2"]);
    await expect(volumes.remove("data")).rejects.toThrow("volume is in use - [c1, c2]");
    await volumes.unmount("data", "c1");
    await volumes.unmount("data", "c1");
    await volumes.unmount("data", "c2");
    expect(driver.calls).toEqual([
      "mount data c1",
      "mount data c2",
      "unmount data c1",
      "unmount data c2 last",
    ]);
    await volumes.remove("data");
  });

  test("that cannot be mounted is held by nobody, now and after an end of the daemon", async () => {
    const { volumes, driver, open } = await house();
    driver.failure = new Error("broken");
    await expect(volumes.mount("data", "c1")).rejects.toThrow("broken");
    driver.failure = undefined;
    expect(driver.calls).toEqual(["mount data c1", "unmount data c1 last"]);
    expect([volumes.holdersOf("data"), (await open()).holdersOf("data")]).toEqual([[], []]);
  });

  test("is unmounted after an end of the daemon for those that do not run any more", async () => {
    const { volumes, driver, open } = await house();
    for (const holder of ["runs", "ended", "reader-1"]) await volumes.mount("data", holder);
    driver.calls.length = 0;
    const later = await open();
    await later.sweep(new Set(["runs", "ended"]), new Set(["runs"]));
    expect(driver.calls).toEqual(["unmount data ended", "unmount data reader-1"]);
    expect(later.holdersOf("data")).toEqual(["runs"]);
    await later.unmount("data", "runs");
    expect(driver.calls.at(-1)).toBe("unmount data runs last");
  });

  test("is populated where it is, and again when that was cut short; what is there stays", async () => {
    const { volumes, open } = await house();
    const path = await volumes.mount("data", "c1");
    const cut = volumes.populate("data", "c1", async (to) => {
      writeFileSync(`${to}/one`, "");
      throw new Error("cut short");
    });
    await expect(cut).rejects.toThrow("cut short");
    const later = await open();
    await later.mount("data", "c1");
    expect(await later.isEmpty("data")).toBe(true);
    await later.populate("data", "c1", async (to) => writeFileSync(`${to}/two`, ""));
    expect([await later.isEmpty("data"), readdirSync(path).sort()]).toEqual([false, ["one", "two"]]);
    await later.populate("data", "c1", async (to) => writeFileSync(`${to}/three`, ""));
    expect(readdirSync(path).length).toBe(2);
  });

  test("cannot be replaced, and nothing of it is kept", async () => {
    const { volumes } = await house();
    await expect(volumes.replace("data", async () => {})).rejects.toThrow(
      "not a folder of this engine's own",
    );
    await expect(volumes.kept("data")).rejects.toThrow("not a folder of this engine's own");
  });
});

describe("volumes of a driver", () => {
  test("that it has of its own accord are taken up, and those of one that fails are told of", async () => {
    const { volumes, driver } = await house();
    expect(await volumes.discover()).toEqual([]);
    expect(volumes.find("of-its-own")).toMatchObject({ driver: "fake", scope: "global" });
    driver.failure = new Error("away");
    expect(await volumes.discover()).toEqual(["The volumes of the driver fake are not known: away"]);
  });

  test("that cannot be removed are tried again at the next start, which comes all the same", async () => {
    const { volumes, driver, complaints, open } = await house();
    driver.failure = new Error("away");
    await expect(volumes.remove("data")).rejects.toThrow("away");
    const later = await open();
    expect(await later.sweep(new Set(), new Set())).toEqual([]);
    expect(complaints).toEqual(["Cannot finish the removal of the volume data"]);
    driver.failure = undefined;
    expect(await later.sweep(new Set(), new Set())).toEqual(["data"]);
    expect((await open()).list()).toEqual([]);
  });

  test("are made anew where a removal was not finished", async () => {
    const { volumes, driver } = await house();
    driver.failure = new Error("away");
    await expect(volumes.remove("data")).rejects.toThrow("away");
    driver.failure = undefined;
    expect(await volumes.create({ name: "data" })).toMatchObject({ driver: "local" });
  });

  test("with a name alone are found whatever made them", async () => {
    const { volumes } = await house();
    expect(await volumes.create({ name: "data" })).toMatchObject({ driver: "fake" });
    await expect(volumes.create({ name: "data", driver: "local" })).rejects.toThrow(
      "already exists with the driver fake",
    );
  });
});

describe("a volume's content is replaced", () => {
  test("when nobody came to use it meanwhile", async () => {
    const { volumes } = await house();
    const { mountpoint } = await volumes.create({ name: "plain" });
    writeFileSync(`${mountpoint}/old`, "");
    const replacing = volumes.replace("plain", async (to) => {
      writeFileSync(`${to}/new`, "");
      await expect(volumes.remove("plain")).rejects.toThrow("volume is in use");
      await volumes.mount("plain", "c1");
    });
    await expect(replacing).rejects.toThrow("it is in use by [c1]");
    expect(readdirSync(mountpoint)).toEqual(["old"]);
    await volumes.unmount("plain", "c1");
    await volumes.replace("plain", async (to) => writeFileSync(`${to}/new`, ""));
    expect(readdirSync(mountpoint)).toEqual(["new"]);
    expect(volumes.holdersOf("plain")).toEqual([]);
  });
});
