import { describe, expect, test } from "bun:test";
import { checkStorageOptions, STORAGE_OPTIONS, storageDefaults } from "../../../src/daemon/storage-values.ts";

const defaultsOf = (...words: string[]) => storageDefaults(STORAGE_OPTIONS.parse(words));

describe("options of storage drivers", () => {
  test.each([
    [[], {}],
    [["overlay2.size=10G"], { size: "10G" }],
    [["overlay2.size=10G", "overlay2.size=0"], {}],
    [["btrfs.min_space=1G", "btrfs.size=2G"], { size: "2G", minimumBytes: 1024 ** 3 }],
  ])("%j mean %j", (words, meaning) => expect(defaultsOf(...words)).toEqual(meaning as object));

  test.each([
    ["overlay2.colour=red", "is no option of a storage driver; there are overlay2.size"],
    ["size=10G", "is no option of a storage driver"],
    ["vfs.size=10G", "is no option of a storage driver"],
    ["overlay2.size=much", "has no size; write 10G or 512m"],
    ["overlay2.override_kernel_check=true", "is not needed"],
    ["constructor.size=1", "is no option of a storage driver"],
  ])("%s is refused", (word, words) => {
    expect(STORAGE_OPTIONS.safeParse([word]).error?.issues[0]?.message).toContain(words);
  });

  test("another driver's, and limits that cannot be kept to, do not let the daemon start", async () => {
    const driver = (name: string, reason?: string) => ({
      name,
      limitable: async () =>
        reason === undefined ? ({ usable: true } as const) : { usable: false as const, reason },
    });
    const options = STORAGE_OPTIONS.parse(["overlay2.size=10G"]);
    await checkStorageOptions(options, driver("overlay2"));
    await expect(checkStorageOptions(options, driver("erofs"))).rejects.toThrow(
      "the storage driver is erofs; leave it out, or start with --storage-driver overlay2",
    );
    await expect(checkStorageOptions(options, driver("overlay2", "/data: no"))).rejects.toThrow(
      "overlay2.size cannot be kept to in /data: no",
    );
    await checkStorageOptions(STORAGE_OPTIONS.parse(["overlay2.size=0"]), driver("overlay2", "/data: no"));
  });
});
