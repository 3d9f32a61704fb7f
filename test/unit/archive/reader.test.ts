import { expect, test } from "bun:test";
import { type Entry, TarReader } from "#archive";
import { BLOCK } from "../../../src/archive/header.ts";
import { formatPax } from "../../../src/archive/pax.ts";
import { type TarMember, tarOf } from "../../fakes/tar.ts";

interface Seen {
  readonly entry: Entry;
  readonly pieces: [number, string][];
}

/** Everything a sink is told, with neighbouring pieces joined; chunks of the given size. */
function read(archive: Uint8Array, chunkBytes = archive.length): Seen[] {
  const seen: Seen[] = [];
  const reader = new TarReader({
    begin: (entry) => seen.push({ entry, pieces: [] }),
    data(bytes, offset) {
      const pieces = seen.at(-1)?.pieces ?? [];
      const last = pieces.at(-1);
      const text = Buffer.from(bytes).toString("latin1");
      if (last !== undefined && last[0] + last[1].length === offset) last[1] += text;
      else pieces.push([offset, text]);
    },
    finish() {},
  });
  for (let at = 0; at < archive.length; at += chunkBytes) reader.push(archive.subarray(at, at + chunkBytes));
  reader.end();
  return seen;
}

/** A ustar block with fields set by offset; the checksum is made right. */
function block(fields: Readonly<Record<number, string>>, typeflag = "0"): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write("0000644\0", 100);
  header.write(typeflag, 156, "latin1");
  for (const [offset, text] of Object.entries(fields)) header.write(text, Number(offset), "latin1");
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}

function padded(text: string): Buffer {
  const body = Buffer.from(text, "latin1");
  return Buffer.concat([body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)]);
}

function octal(value: number, width = 12): string {
  return `${value.toString(8).padStart(width - 1, "0")}\0`;
}

const MEMBERS: readonly TarMember[] = [
  { path: "plain", data: "hello" },
  { path: "dir/", type: "directory", mode: 0o1777, uid: 5, gid: 6 },
  { path: `long/${"n".repeat(200)}`, data: "x".repeat(2000), uid: 4_000_000, gid: 3_000_000 },
  { path: "größe-\u{1f40b}", data: "", modified: { seconds: -5, nanoseconds: 250_000_000 } },
  { path: "soft", type: "symlink", target: `${"t".repeat(150)}/x` },
  { path: "hard", type: "hardlink", target: "plain" },
  { path: "dev", type: "character", major: 300, minor: 70_000 },
  {
    path: "attr",
    data: "1",
    attributes: { "user.a": "b\nc=d", "security.capability": Buffer.from([1, 0, 255]) },
  },
  {
    path: "holes",
    size: 10_000,
    segments: [
      { offset: 0, data: "start" },
      { offset: 9_000, data: "end" },
    ],
  },
];

test.each([1, 7, 511, 512, 513, 100_000])(
  "what the writer writes is read again, in chunks of %d bytes",
  (size) => {
    const seen = read(tarOf(MEMBERS), size);
    expect(seen.map(({ entry }) => Buffer.from(entry.path, "latin1").toString())).toEqual(
      MEMBERS.map(({ path }) => path),
    );
    expect(seen[1]?.entry).toMatchObject({ type: "directory", mode: 0o1777, uid: 5, gid: 6 });
    expect(seen[2]).toMatchObject({
      entry: { uid: 4_000_000, gid: 3_000_000 },
      pieces: [[0, "x".repeat(2000)]],
    });
    expect(seen[3]?.entry.modified).toEqual({ seconds: -5, nanoseconds: 250_000_000 });
    expect(seen[4]?.entry.target).toBe(`${"t".repeat(150)}/x`);
    expect(seen[6]?.entry).toMatchObject({ type: "character", major: 300, minor: 70_000 });
    expect(Object.fromEntries(seen[7]?.entry.attributes ?? [])).toEqual({
      "user.a": Buffer.from("b\nc=d"),
      "security.capability": Buffer.from([1, 0, 255]),
    });
    expect(seen[8]).toMatchObject({
      entry: { size: 10_000 },
      pieces: [
        [0, "start"],
        [9_000, "end"],
      ],
    });
  },
);

test("GNU long names and links are taken over", () => {
  const archive = Buffer.concat([
    block({ 0: "././@LongLink", 124: octal(151) }, "L"),
    padded(`${"n".repeat(150)}\0`),
    block({ 0: "././@LongLink", 124: octal(131) }, "K"),
    padded(`${"k".repeat(130)}\0`),
    block({ 0: "short", 157: "short", 257: "ustar  \0" }, "2"),
    block({ 0: "next" }),
  ]);
  expect(read(archive).map(({ entry }) => [entry.path, entry.target])).toEqual([
    ["n".repeat(150), "k".repeat(130)],
    ["next", ""],
  ]);
});

test("the ustar prefix is put before the name, but not that of other dialects", () => {
  const posix = block({ 0: "name", 257: "ustar\x0000", 345: "a/b" });
  const gnu = block({ 0: "name", 257: "ustar  \0", 345: "a/b" });
  expect(read(Buffer.concat([posix, gnu])).map(({ entry }) => entry.path)).toEqual(["a/b/name", "name"]);
});

test("GNU's old sparse format is read, with map blocks that follow", () => {
  const extra = Buffer.alloc(BLOCK);
  extra.write(octal(5000) + octal(2), 0, "latin1");
  const archive = Buffer.concat([
    block(
      {
        0: "s",
        124: octal(6),
        386: octal(0) + octal(3) + octal(100) + octal(1),
        482: "\x01",
        483: octal(9000),
      },
      "S",
    ),
    extra,
    padded("abcdef"),
  ]);
  expect(read(archive)).toMatchObject([
    {
      entry: { path: "s", size: 9000 },
      pieces: [
        [0, "abc"],
        [100, "d"],
        [5000, "ef"],
      ],
    },
  ]);
});

test.each([
  [
    "0.0",
    [
      ["GNU.sparse.size", "900"],
      ["GNU.sparse.offset", "10"],
      ["GNU.sparse.numbytes", "2"],
      ["GNU.sparse.offset", "50"],
      ["GNU.sparse.numbytes", "1"],
    ],
  ],
  [
    "0.1",
    [
      ["GNU.sparse.size", "900"],
      ["GNU.sparse.name", "s"],
      ["GNU.sparse.map", "10,2,50,1"],
    ],
  ],
] as const)("GNU's sparse format %s is read", (_version, records) => {
  const body = formatPax(records);
  const archive = Buffer.concat([
    block({ 0: "x", 124: octal(body.length) }, "x"),
    padded(body.toString("latin1")),
    block({ 0: "s", 124: octal(3) }),
    padded("abc"),
  ]);
  expect(read(archive)).toMatchObject([
    {
      entry: { path: "s", size: 900 },
      pieces: [
        [10, "ab"],
        [50, "c"],
      ],
    },
  ]);
});

test("headers of whole archives and volume labels are passed over", () => {
  const body = formatPax([["comment", "x"]]);
  const archive = Buffer.concat([
    block({ 0: "g", 124: octal(body.length) }, "g"),
    padded(body.toString("latin1")),
    block({ 0: "label" }, "V"),
    block({ 0: "real" }),
  ]);
  expect(read(archive).map(({ entry }) => entry.path)).toEqual(["real"]);
});

const HUGE = octal(0o77777777777);
test.each<[string, Buffer]>([
  ["a wrong checksum", Buffer.concat([block({ 0: "a" }).fill("z", 0, 1)])],
  ["an unknown type", block({ 0: "a" }, "Q")],
  ["an extended header without end", block({ 0: "a", 124: HUGE }, "x")],
  ["a long name without end", block({ 0: "a", 124: HUGE }, "L")],
  ["data that is cut", block({ 0: "a", 124: octal(10) })],
  ["a header that is cut", block({ 0: "a" }).subarray(0, 300)],
  ["a negative size", block({ 0: "a", 124: "\xff".repeat(12) })],
  [
    "an extended header with a wrong length",
    Buffer.concat([block({ 124: octal(9) }, "x"), padded("99 a=b\n..")]),
  ],
  [
    "an extended header with a negative length",
    Buffer.concat([block({ 124: octal(9) }, "x"), padded("-9 a=b\n..")]),
  ],
  ["a sparse map that does not fit", block({ 0: "s", 124: octal(6), 386: octal(0) + octal(3) }, "S")],
  [
    "a sparse map that overlaps",
    block({ 0: "s", 124: octal(4), 386: octal(0) + octal(3) + octal(1) + octal(1) }, "S"),
  ],
])("%s is refused", (_what, archive) => {
  expect(() => read(archive)).toThrow("Cannot read the archive");
  expect(() => read(archive, 100)).toThrow("Cannot read the archive");
});

test.each([
  ["has more than the data", octal(0) + octal(0o77777777777), octal(0o77777777777)],
  ["goes beyond the file's end", octal(10) + octal(6), octal(9)],
])("a sparse map that %s is refused before the file is begun", (_what, map, size) => {
  const begun: string[] = [];
  const reader = new TarReader({ begin: ({ path }) => void begun.push(path), data() {}, finish() {} });
  const archive = Buffer.concat([
    block({ 0: "s", 124: octal(6), 386: map, 483: size }, "S"),
    padded("abcdef"),
  ]);
  expect(() => reader.push(archive)).toThrow("a sparse file's map does not fit its data");
  expect(begun).toEqual([]);
});

test.each([
  ["whole", (archive: Buffer) => archive, true],
  ["cut off between two entries", (archive: Buffer) => archive.subarray(0, BLOCK * 2), false],
  ["empty", () => Buffer.alloc(0), false],
  ["nothing but its end", () => Buffer.alloc(BLOCK), true],
] as const)("an archive that is %s tells whether it has its end", (_name, part, hasEnd) => {
  const reader = new TarReader({ begin() {}, data() {}, finish() {} });
  const archive = part(
    tarOf([
      { path: "a", data: "hello" },
      { path: "b", data: "hello" },
    ]),
  );
  for (let at = 0; at < archive.length; at += 100) reader.push(archive.subarray(at, at + 100));
  reader.end();
  expect(reader.hasEnd).toBe(hasEnd);
});
