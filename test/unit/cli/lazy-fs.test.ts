import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { readSmallFile } from "../../../src/cli/lazy-fs.ts";
import { scratch } from "../../fakes/scratch.ts";

describe("a small file", () => {
  test("is read whole, an empty one too", async () => {
    await using folder = await scratch();
    await writeFile(`${folder.path}/full`, "Grüße\n");
    await writeFile(`${folder.path}/empty`, "");
    expect(readSmallFile(`${folder.path}/full`, 8)).toBe("Grüße\n");
    expect(readSmallFile(`${folder.path}/empty`, 8)).toBe("");
  });

  test("that is not there, or below what is no folder, is undefined", async () => {
    await using folder = await scratch();
    await writeFile(`${folder.path}/file`, "x");
    expect(readSmallFile(`${folder.path}/none`, 8)).toBeUndefined();
    expect(readSmallFile(`${folder.path}/file/none`, 8)).toBeUndefined();
  });

  test("is refused when it is too large, or a folder", async () => {
    await using folder = await scratch();
    await writeFile(`${folder.path}/large`, "123456789");
    expect(() => readSmallFile(`${folder.path}/large`, 8)).toThrow("larger than 8 bytes");
    expect(() => readSmallFile(folder.path, 8)).toThrow("EISDIR");
  });
});
