import { expect, test } from "bun:test";
import {
  closeSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { lookAtName, lookAtOpen } from "#host";

test("a look says what node's stat says", () => {
  const folder = mkdtempSync(join(tmpdir(), "bunker-stat-"));
  try {
    const [file, other, link] = ["file", "other", "link"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(file, "x".repeat(10_000), { mode: 0o640 });
    linkSync(file, other);
    symlinkSync("nowhere", link);
    Bun.spawnSync(["touch", "--date=@-3.5", file]);
    for (const path of [folder, file, other, link, "/dev/null", "/dev/tty", "/proc/self"]) {
      const stats = lstatSync(path, { bigint: true });
      const look = lookAtName(path);
      if (typeof look === "number") throw new Error(`${path}: ${look}`);
      expect(look).toMatchObject({
        mode: Number(stats.mode),
        links: Number(stats.nlink),
        uid: Number(stats.uid),
        gid: Number(stats.gid),
        size: Number(stats.size),
        stored: Number(stats.blocks) * 512,
      });
      const { seconds, nanoseconds } = look.modified;
      expect(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)).toBe(stats.mtimeNs);
    }
    expect(lookAtName("/dev/null")).toMatchObject({ major: 1, minor: 3 });
    expect(lookAtName(file)).toEqual(lookAtName(other));
    const descriptor = openSync(other, "r");
    expect(lookAtOpen(descriptor)).toEqual(lookAtName(file));
    closeSync(descriptor);
    expect(lookAtName(join(folder, "none"))).toBe(-constants.errno.ENOENT);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
