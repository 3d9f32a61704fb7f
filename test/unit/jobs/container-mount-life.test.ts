import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { chmod, mkdir, stat } from "node:fs/promises";
import { mountHolding } from "#host";
import { imageTrees } from "../../../src/jobs/container/image-trees.ts";
import { makeOverlays, overlayMount } from "../../../src/jobs/container/overlays.ts";
import { settlePropagation } from "../../../src/jobs/container/propagation.ts";
import { imagesOf } from "../../../src/jobs/image/remove.ts";
import { recordOf } from "../../fakes/containers.ts";
import { scratch } from "../../fakes/scratch.ts";
import { openHouse, started } from "./house.ts";

const MOUNT = {
  type: "bind",
  source: "/usr",
  destination: "/x",
  mode: "",
  isWritable: true,
  propagation: "rprivate",
  isAnonymous: false,
  copyUp: false,
  isRecursive: true,
  recursiveReadonly: false,
} as const;
const IMAGE = { id: `sha256:${"a".repeat(64)}`, reference: "tools" };

describe("overlays over binds", () => {
  test("have a layer that looks like the source, of this life alone", async () => {
    await using home = await scratch();
    const source = `${home.path}/source`;
    await mkdir(source);
    await chmod(source, 0o1770);
    const mount = { ...MOUNT, source, isOverlay: true };
    const container = recordOf("c", { directory: `${home.path}/c`, mounts: [mount] });
    const { options } = overlayMount(mount, container.directory);
    const upper = options[1]?.replace("upperdir=", "") ?? "";
    {
      await using _made = await makeOverlays(container);
      expect(options[0]).toBe(`lowerdir=${source}`);
      expect((await stat(upper)).mode & 0o7777).toBe(0o1770);
      await mkdir(`${upper}/written`);
    }
    expect(existsSync(upper)).toBe(false);
    await using _again = await makeOverlays(container);
    await mkdir(`${upper}/of a life whose end nobody saw`);
    await using _third = await makeOverlays(container);
    expect(existsSync(`${upper}/of a life whose end nobody saw`)).toBe(false);
  });

  test("leave nothing when one of them cannot be", async () => {
    await using home = await scratch();
    const mounts = ["/usr", "/does/not/exist"].map((source, at) => ({
      ...MOUNT,
      source,
      destination: `/x${at}`,
      isOverlay: true,
    }));
    const directory = `${home.path}/c`;
    await expect(makeOverlays(recordOf("c", { directory, mounts }))).rejects.toThrow("/does/not/exist");
    expect(existsSync(`${directory}/overlays`)).toBe(false);
  });

  test("go with a start that fails, and with the end of a life", async () => {
    await using house = await openHouse();
    const binds = ["/usr:/x:O"];
    const { id, directory } = await house.create({ binds });
    house.exec.prepareFailure = new Error("no clone");
    await expect(house.run("container.start", { ref: id })).rejects.toThrow("no clone");
    expect(existsSync(`${directory}/overlays`)).toBe(false);
    delete house.exec.prepareFailure;
    const { id: other, process } = await started(house, { binds });
    const folder = `${house.containers.find(other).directory}/overlays`;
    expect(existsSync(folder)).toBe(true);
    const wait = await house.run("container.wait", { ref: other, condition: "not-running" });
    process.end({ code: 0 });
    await wait.result;
    expect(existsSync(folder)).toBe(false);
  });
});

describe("images among mounts", () => {
  const mount = { ...MOUNT, type: "image", source: IMAGE.id, image: IMAGE } as const;

  test("are used by their container, as the one it is made of", () => {
    expect(imagesOf(recordOf("c", { imageId: "sha256:b", mounts: [MOUNT, mount] }))).toEqual([
      "sha256:b",
      IMAGE.id,
    ]);
  });

  test("are looked up once, and refused when they have gone or hold nothing", async () => {
    const view = { type: "overlay", source: "overlay", flags: 1, options: [] };
    const asked: string[] = [];
    const driver = {
      view: async (layer: string) => {
        asked.push(layer);
        return view;
      },
    };
    const images = (image: object | undefined) => ({ get: () => image as never });
    const trees = await imageTrees({ driver, images: images({ top: "top" }) }, [mount, MOUNT, mount]);
    expect([[...trees], asked]).toEqual([[[IMAGE.id, view]], ["top"]]);
    await expect(imageTrees({ driver, images: images(undefined) }, [mount])).rejects.toThrow(
      "No such image: tools",
    );
    await expect(imageTrees({ driver, images: images({}) }, [mount])).rejects.toThrow("it has no layers");
  });
});

const PROC = mountHolding("/proc");
const isPrivate = !PROC.isShared && !PROC.isSlave;

describe("propagation", () => {
  test("is asked of the mount that holds the source", () => {
    expect(mountHolding("/proc/self").path).toBe("/proc");
    expect(mountHolding("/procession").path).toBe("/");
  });

  const skipped = isPrivate ? "" : " (skipped: /proc is no private mount here)";
  const title = "that the host's mount cannot have is refused, or given up where nobody asked for it";
  test.skipIf(!isPrivate)(`${title}${skipped}`, async () => {
    const asked = { ...MOUNT, source: "/proc", propagation: "rshared" };
    await expect(settlePropagation([asked])).rejects.toThrow(
      `path /proc is mounted on ${PROC.path} but it is not a shared mount`,
    );
    await expect(settlePropagation([{ ...asked, propagation: "slave" }])).rejects.toThrow(
      "but it is not a shared or slave mount",
    );
    expect(
      await settlePropagation([{ ...asked, propagation: "rslave", hasFallback: true }, MOUNT]),
    ).toMatchObject([{ propagation: "rprivate" }, MOUNT]);
  });
});
