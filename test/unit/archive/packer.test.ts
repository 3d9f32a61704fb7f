import { afterAll, beforeAll, expect, test } from "bun:test";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Entry, TarReader } from "#archive";
import { packTree } from "../../../src/archive/packer.ts";

/** More than the piece that everything is gathered in, and no multiple of anything. */
const LARGE = 1_300_001;
const MANY = 700;
const began = process.cwd();
let tree = "";

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), "bunker-packer-"));
  process.chdir(tree);
  mkdirSync("many");
  for (let index = 0; index < MANY; index++) writeFileSync(`many/${index}`, `${index}`.repeat(index % 400));
  writeFileSync("large", Buffer.alloc(LARGE, "0123456789abcde"));
  linkSync("large", "large-again");
  symlinkSync("large", "soft");
  writeFileSync("holes", "");
  truncateSync("holes", 3_000_000);
  writeFileSync("old", "x");
  Bun.spawnSync(["touch", "--date=@-1.75", "old"]);
});

afterAll(() => {
  process.chdir(began);
  rmSync(tree, { recursive: true });
});

/** Each piece is taken as it is handed out: the next may lie in the same memory. */
function packed(): { readonly archive: Buffer; readonly pieces: number } {
  const pieces: Buffer[] = [];
  for (const piece of packTree("plain")) pieces.push(Buffer.from(piece));
  return { archive: Buffer.concat(pieces), pieces: pieces.length };
}

test("what is packed in pieces reads as what is there", () => {
  const { archive, pieces } = packed();
  const seen = new Map<string, { readonly entry: Entry; readonly data: Buffer[] }>();
  let last: Buffer[] = [];
  const reader = new TarReader({
    begin(entry) {
      last = [];
      seen.set(entry.path, { entry, data: last });
    },
    data: (bytes) => void last.push(Buffer.from(bytes)),
    finish() {},
  });
  reader.push(archive);
  reader.end();

  expect(reader.hasEnd).toBeTrue();
  expect(pieces).toBeGreaterThan(2);
  const text = (path: string) => Buffer.concat(seen.get(path)?.data ?? []).toString();
  for (let index = 0; index < MANY; index++)
    expect(text(`many/${index}`)).toBe(`${index}`.repeat(index % 400));
  expect(text("large") === Buffer.alloc(LARGE, "0123456789abcde").toString()).toBeTrue();
  expect(seen.get("large-again")?.entry).toMatchObject({ type: "hardlink", target: "large", size: 0 });
  expect(seen.get("soft")?.entry).toMatchObject({ type: "symlink", target: "large" });
  expect(seen.get("holes")?.entry).toMatchObject({ size: 3_000_000, segments: [] });
  expect(seen.get("old")?.entry.modified).toEqual({ seconds: -2, nanoseconds: 250_000_000 });
});

test("a tree that does not change makes the same archive again, which GNU tar takes for one", async () => {
  const { archive } = packed();
  expect(Buffer.compare(packed().archive, archive)).toBe(0);
  const tar = Bun.spawn(["tar", "--list", "--file", "-"], { stdin: archive, stdout: "pipe", stderr: "pipe" });
  const names = (await tar.stdout.text()).trim().split("\n");
  expect(await tar.stderr.text()).toBe("");
  expect(names).toHaveLength(MANY + 6);
  expect(names).toContain("large-again");
});
