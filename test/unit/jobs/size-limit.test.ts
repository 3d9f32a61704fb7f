import { describe, expect, test } from "bun:test";
import type { ContainerSpec } from "#container";
import type { Verdict } from "#graph";
import { checkedSizeLimit, sizeLimitOf } from "../../../src/jobs/container/size-limit.ts";
import { openHouse } from "./house.ts";

const keeps = (verdict: Verdict) => ({ limitable: async () => verdict });
const WILLING = keeps({ usable: true });

describe("a container's size limit", () => {
  test.each<[ContainerSpec["host"]["storageOptions"], number | undefined]>([
    [{}, undefined],
    [{ size: "0" }, undefined],
    [{ size: "10G" }, 10 * 1024 ** 3],
    [{ Size: "512mb" }, 512 * 1024 ** 2],
    [{ size: "1048576" }, 1024 ** 2],
  ])("%j is %p bytes", (options, bytes) => expect(sizeLimitOf(options)).toBe(bytes as number));

  test.each([
    [{ sise: "1G" }, "Unknown option sise"],
    [{ "overlay2.size": "1G" }, "Unknown option overlay2.size"],
    [{ size: "much" }, "invalid size: 'much'"],
    [{ size: "-1" }, "invalid size"],
    [{ size: "9999999P" }, "more than can be counted"],
  ])("%j is refused", (options, words) => {
    expect(() => sizeLimitOf(options as Record<string, string>)).toThrow(words);
  });

  test("below the daemon's least is refused", async () => {
    const least = { minimumBytes: 1024 ** 3 };
    expect(await checkedSizeLimit({ size: "1G" }, WILLING, least)).toBe(1024 ** 3);
    await expect(checkedSizeLimit({ size: "1M" }, WILLING, least)).rejects.toThrow("btrfs.min_space");
    expect(await checkedSizeLimit({}, WILLING, least)).toBeUndefined();
  });

  test("that cannot be kept to is refused with the reason, and no container is there", async () => {
    const refusing = keeps({ usable: false, reason: "/data: it is on tape; use a disk" });
    await expect(checkedSizeLimit({ size: "1G" }, refusing)).rejects.toMatchObject({
      kind: "invalid",
      message:
        "Cannot limit the container's size to 1073741824 bytes (--storage-opt size): /data: it is on tape; use a disk",
    });
    await using scene = await openHouse();
    await expect(scene.create({ storageOptions: { size: "1G" } })).rejects.toMatchObject({ kind: "invalid" });
    expect([scene.containers.list(), scene.driver.layers.size]).toEqual([[], 0]);
  });
});
