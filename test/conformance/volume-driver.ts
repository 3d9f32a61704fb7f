import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { VolumeDriver, VolumeDriverKind } from "#volume";
import { scratch } from "../fakes/scratch.ts";

/** What every volume driver promises. `options`: of a volume that it can make here. */
export async function volumeDriverConformance(
  kind: VolumeDriverKind,
  {
    title = kind.name,
    options = {},
  }: { readonly title?: string; readonly options?: Record<string, string> } = {},
) {
  await using probe = await scratch();
  const verdict = await kind.probe(probe.path);
  const shown = verdict.usable ? title : `${title} (skipped: ${verdict.reason})`;
  const volume = (name: string) => ({ name, options });

  async function opened() {
    const root = await scratch();
    const driver = await kind.open(`${root.path}/volumes`);
    return { driver, root, [Symbol.asyncDispose]: () => root[Symbol.asyncDispose]() };
  }

  /** Does something with the content while it is there. */
  async function inside<T>(driver: VolumeDriver, name: string, act: (path: string) => T): Promise<T> {
    const path = await driver.mount(volume(name), "visitor");
    try {
      return act(path);
    } finally {
      await driver.unmount(volume(name), { holder: "visitor", isLast: true });
    }
  }

  describe.skipIf(!verdict.usable)(`volume driver ${shown}`, () => {
    test("a new volume is empty, and is told of", async () => {
      await using house = await opened();
      const { driver } = house;
      expect(await driver.create(volume("data"))).toBe(true);
      expect(await inside(driver, "data", (path) => readdirSync(path))).toEqual([]);
      expect((await driver.inspect(volume("data")))?.name).toBe("data");
      await driver.remove(volume("data"));
    });

    test("what is there is taken up as it is", async () => {
      await using house = await opened();
      const { driver } = house;
      await driver.create(volume("data"));
      const path = await driver.mount(volume("data"), "one");
      writeFileSync(`${path}/file`, "kept");
      expect(await driver.create(volume("data"))).toBe(false);
      expect(readFileSync(`${path}/file`, "utf8")).toBe("kept");
      await driver.unmount(volume("data"), { holder: "one", isLast: true });
      await driver.remove(volume("data"));
    });

    test("all holders see one content, until the last has gone", async () => {
      await using house = await opened();
      const { driver } = house;
      await driver.create(volume("data"));
      const one = await driver.mount(volume("data"), "one");
      const two = await driver.mount(volume("data"), "two");
      writeFileSync(`${one}/file`, "shared");
      expect(readFileSync(`${two}/file`, "utf8")).toBe("shared");
      await driver.unmount(volume("data"), { holder: "one", isLast: false });
      expect(readFileSync(`${two}/file`, "utf8")).toBe("shared");
      await driver.unmount(volume("data"), { holder: "two", isLast: true });
      await driver.unmount(volume("data"), { holder: "two", isLast: true });
      await driver.remove(volume("data"));
    });

    test("volumes are apart", async () => {
      await using house = await opened();
      const { driver } = house;
      for (const name of ["one", "two"]) await driver.create(volume(name));
      await inside(driver, "one", (path) => writeFileSync(`${path}/file`, ""));
      expect(await inside(driver, "two", (path) => readdirSync(path))).toEqual([]);
      for (const name of ["one", "two"]) await driver.remove(volume(name));
    });

    test("removal takes the content; nothing there is success", async () => {
      await using house = await opened();
      const { driver } = house;
      await driver.create(volume("data"));
      await inside(driver, "data", (path) => writeFileSync(`${path}/file`, ""));
      await driver.remove(volume("data"));
      await driver.remove(volume("data"));
      expect(await driver.create(volume("data"))).toBe(true);
      expect(await inside(driver, "data", (path) => readdirSync(path))).toEqual([]);
      await driver.remove(volume("data"));
    });

    test("a later driver unmounts what nobody holds, and keeps what somebody does", async () => {
      await using house = await opened();
      const { driver, root } = house;
      for (const name of ["held", "free"]) await driver.create(volume(name));
      const held = await driver.mount(volume("held"), "one");
      await driver.mount(volume("free"), "one");
      writeFileSync(`${held}/file`, "kept");
      const later = await kind.open(`${root.path}/volumes`);
      await later.sweep({ known: new Set(["held", "free"]), mounted: new Set(["held"]) });
      expect(await later.mount(volume("held"), "one")).toBe(held);
      expect(readFileSync(`${held}/file`, "utf8")).toBe("kept");
      await later.unmount(volume("held"), { holder: "one", isLast: true });
      for (const name of ["held", "free"]) await later.remove(volume(name));
    });

    test("content that is replaced is the old one until it is published, and kept content stays", async () => {
      await using house = await opened();
      const { driver } = house;
      await driver.create(volume("data"));
      const content = driver.content(volume("data"));
      if (content !== undefined) {
        const path = await driver.mount(volume("data"), "one");
        writeFileSync(`${path}/old`, "");
        const kept = await content.keep("s1", async (to) => writeFileSync(`${to}/kept`, ""));
        await expect(content.keep("s1", async () => {})).rejects.toThrow("already");
        const failing = content.stage(async () => Promise.reject(new Error("broken")));
        await expect(failing).rejects.toThrow("broken");
        {
          await using staged = await content.stage(async (to) => writeFileSync(`${to}/new`, ""));
          expect(readdirSync(path)).toEqual(["old"]);
          staged.publish();
        }
        expect(readdirSync(path)).toEqual(["new"]);
        expect(readdirSync(kept.path)).toEqual(["kept"]);
        expect((await content.snapshots()).map(({ name }) => name)).toEqual(["s1"]);
        await content.forget("s1");
        expect(existsSync(kept.path)).toBe(false);
        await expect(content.forget("s1")).rejects.toThrow("No such snapshot");
        await driver.unmount(volume("data"), { holder: "one", isLast: true });
      }
      await driver.remove(volume("data"));
    });
  });
}
