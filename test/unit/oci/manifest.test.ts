import { expect, test } from "bun:test";
import { Manifest, sha256 } from "#oci";

const descriptor = (text: string) => ({
  mediaType: "application/octet-stream",
  digest: sha256(text),
  size: 1,
});
const manifest = (layers: number) => ({
  schemaVersion: 2,
  config: descriptor("config"),
  layers: Array.from({ length: layers }, (_, index) => descriptor(String(index))),
});

test.each([0, 1, 128])("a manifest of %d layers is read", (layers) => {
  expect(Manifest.safeParse(manifest(layers)).success).toBe(true);
});

test("one of 129 layers is refused", () => {
  expect(Manifest.safeParse(manifest(129)).success).toBe(false);
});
