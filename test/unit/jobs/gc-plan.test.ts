import { expect, test } from "bun:test";
import type { Image, LayerId } from "#graph";
import { type Digest, parseReference, sha256 } from "#oci";
import { type Plan, planImages } from "../../../src/jobs/system/gc-plan.ts";

interface Given {
  readonly name: string;
  /** Of whole bytes: a layer `x10` has 10 bytes unpacked, and a blob of half that. */
  readonly layers: readonly string[];
  readonly tag?: string;
  readonly parent?: string;
  readonly usedAt: number;
}

const EVERYTHING: Plan = { inUse: new Set(), usedBefore: 100, withNames: true };

/** What is planned, by name, with its bytes. */
async function planned(given: readonly Given[], plan: Partial<Plan>) {
  const sizes = new Map<string, number>();
  const chain = (parent: LayerId | undefined, diffId: Digest) => `${parent ?? ""}/${diffId}` as LayerId;
  const images = given.map(({ name, layers, tag }): Image => {
    let at: LayerId | undefined;
    for (const layer of layers) {
      at = chain(at, layer as Digest);
      sizes.set(at, Number(layer.slice(1)));
    }
    const config = {
      architecture: "a",
      os: "linux",
      rootfs: { type: "layers", diff_ids: layers as Digest[] },
    };
    const tags = tag === undefined ? [] : [parseReference(tag)];
    return { id: name as Digest, config, tags, digests: [], size: 0, arrivedAt: 0 } as unknown as Image;
  });
  const of = (id: string) => given.find(({ name }) => name === id);
  const store = {
    images: {
      list: () => images,
      parentOf: (id: Digest) => of(id)?.parent as Digest | undefined,
      usedAt: (id: Digest) => of(id)?.usedAt ?? 0,
    },
    layers: {
      chain,
      size: (id: LayerId) => sizes.get(id),
      blob: async (id: LayerId) => ({
        mediaType: "x",
        digest: sha256(id.slice(id.lastIndexOf("/"))),
        size: (sizes.get(id) ?? 0) / 2,
      }),
    },
    content: { size: async () => 0 },
  };
  const found = await planImages(store, { ...EVERYTHING, ...plan });
  return found.map(({ image, burden }) => [image.id as string, burden.trees + burden.blobs] as const);
}

const OLD: Given = { name: "old", layers: ["a100", "b10"], tag: "old", usedAt: 1 };
const NEW: Given = { name: "new", layers: ["a100", "c20"], tag: "new", usedAt: 50 };
const NAMELESS: Given = { name: "nameless", layers: ["a100", "d40"], usedAt: 60 };

test.each<[string, Given[], Partial<Plan>, [string, number][]]>([
  ["nothing of what has a name, unless asked", [OLD, NEW], { withNames: false }, []],
  ["those without a name", [OLD, NAMELESS], { withNames: false }, [["nameless", 60]]],
  [
    "nameless ones first, then least recently used first; what is shared goes with the last",
    [NEW, NAMELESS, OLD],
    {},
    [
      ["nameless", 60],
      ["old", 15],
      ["new", 180],
    ],
  ],
  ["nothing that a container is made of", [OLD, NEW], { inUse: new Set(["old"]) }, [["new", 30]]],
  ["nothing that was used lately", [OLD, NEW], { usedBefore: 10 }, [["old", 15]]],
  ["no more than it takes", [NEW, OLD], { goalBytes: 10 }, [["old", 15]]],
  ["all that is nameless, also when less would do", [OLD, NAMELESS], { goalBytes: 1 }, [["nameless", 60]]],
  ["nothing at all when nothing is wanted", [OLD], { goalBytes: 0 }, []],
  [
    "a child before its parent",
    [
      { ...OLD, tag: "" },
      { ...NEW, parent: "old" },
    ].map(({ tag, ...rest }) => ({ ...rest, ...(tag && { tag }) })),
    {},
    [
      ["new", 30],
      ["old", 165],
    ],
  ],
  ["no parent of one that stays", [OLD, { ...NEW, parent: "old" }], { inUse: new Set(["new"]) }, []],
])("a plan has %s", async (_what, given, plan, expected) => {
  expect(await planned(given, plan)).toEqual(expected);
});
