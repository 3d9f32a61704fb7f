import { expect, test } from "bun:test";
import { parseReference, sha256 } from "#oci";
import type { OpenRegistry } from "#registry";
import { withDemoImage } from "../../../src/daemon/demo/registry.ts";

test("what somebody has made of the embedded image's bytes is not what the next one gets", async () => {
  const remote = {} as ReturnType<OpenRegistry>;
  const client = withDemoImage(() => remote)({ mirrors: [], insecure: [] }, undefined);
  const reference = parseReference("bunker/demo");
  const { signal } = new AbortController();
  const { layers } = await client.resolve(reference, {
    platform: { os: "linux", architecture: "amd64" },
    signal,
  });
  const [layer] = layers;
  if (layer === undefined) throw new Error("there is no layer");
  for (const _ of [1, 2]) {
    const pieces: Uint8Array[] = [];
    for await (const piece of client.stream(reference, layer, { offset: 0, signal })) pieces.push(piece);
    expect(sha256(Buffer.concat(pieces))).toBe(layer.digest);
    for (const { buffer } of pieces) (buffer as ArrayBuffer).transfer(0);
  }
});
