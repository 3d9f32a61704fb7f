import { expect, test } from "bun:test";
import { FILE_TYPE } from "../../../src/archive/erofs/layout.ts";
import { Leaf, Tree } from "../../../src/archive/erofs/tree.ts";
import { byteString } from "../../../src/archive/names.ts";

const LOOK = { mode: 0o755, uid: 0, gid: 0, modified: { seconds: 0, nanoseconds: 0 } };
const deep = (parts: number) => "d/".repeat(parts);

test("a path as deep as one name can lead is taken, and goes again", () => {
  const tree = new Tree(LOOK);
  const made = tree.makeDirectory(byteString(`${deep(2047)}d`));
  expect([made.depth, made.path.length]).toEqual([2048, 4095]);
  tree.remove(byteString("d"));
  expect(tree.look(byteString("d"))).toBeUndefined();
});

test("links do not lead any deeper", () => {
  const tree = new Tree(LOOK);
  tree.makeDirectory(byteString(`${deep(1999)}d`));
  tree.put(byteString("link"), new Leaf(FILE_TYPE.symlink, 0, byteString(`${deep(1999)}d`)));
  expect(tree.makeDirectory(byteString(`link/${deep(47)}d`)).depth).toBe(2048);
  expect(() => tree.makeDirectory(byteString(`link/${deep(48)}d`))).toThrow(/below more than 2048 others/);
});
