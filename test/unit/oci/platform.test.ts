import { describe, expect, test } from "bun:test";
import {
  choosePlatform,
  type Descriptor,
  type Digest,
  formatPlatform,
  parsePlatform,
  platformsOf,
} from "#oci";

const HOST = { os: "linux", architecture: "amd64" };

describe("a platform is read as people write it", () => {
  test.each([
    ["linux/amd64", "linux/amd64"],
    ["linux/x86_64", "linux/amd64"],
    ["linux/aarch64", "linux/arm64"],
    ["linux/arm64/v8", "linux/arm64"],
    ["linux/arm", "linux/arm/v7"],
    ["linux/arm/v6", "linux/arm/v6"],
    ["linux/armel", "linux/arm/v6"],
    ["LINUX/AMD64", "linux/amd64"],
    ["arm64", "linux/arm64"],
    ["linux", "linux/amd64"],
    ["windows/amd64", "windows/amd64"],
  ])("%s is %s", (text, expected) => {
    const platform = parsePlatform(text, HOST);
    expect(platform && formatPlatform(platform)).toBe(expected);
  });

  test.each(["", "/", "linux/", "linux/amd64/v1/x", "linux amd64", "linux/../x y"])(
    "%j is refused",
    (text) => {
      expect(parsePlatform(text, HOST)).toBeUndefined();
    },
  );
});

describe("an index offers the manifest that suits best", () => {
  const offer = (...names: readonly (string | undefined)[]): readonly Descriptor[] =>
    names.map((name, position) => {
      const [os = "", architecture = "", variant] = name?.split("/") ?? [];
      return {
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        digest: `sha256:${String(position).padStart(64, "0")}` as Digest,
        size: position,
        ...(name !== undefined && { platform: { os, architecture, ...(variant && { variant }) } }),
      };
    });

  test.each([
    ["linux/amd64", ["linux/arm64", "linux/amd64"], 1],
    ["linux/amd64", ["unknown/unknown", "linux/amd64", "unknown/unknown"], 1],
    ["linux/amd64", ["linux/amd64", "linux/amd64"], 0],
    ["linux/amd64", ["linux/amd64/v3", "linux/amd64"], 1],
    ["linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], 1],
    ["linux/arm64", ["linux/arm/v7", "linux/arm64/v8"], 1],
    ["linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/arm64"], 1],
    ["linux/arm/v6", ["linux/arm/v7"], undefined],
    ["linux/amd64", ["windows/amd64", "linux/386"], undefined],
    ["linux/amd64", [undefined], undefined],
    ["linux/amd64", [], undefined],
  ] as const)("%s out of %j", (wanted, offered, position) => {
    const platform = parsePlatform(wanted, HOST);
    if (platform === undefined) throw new Error(wanted);
    expect(choosePlatform(offer(...offered), platform)?.size).toBe(position as number);
  });

  test("what it offers is told without attestations and doubles", () => {
    const offered = offer("linux/arm64/v8", "unknown/unknown", "linux/amd64", "linux/amd64", undefined);
    expect(platformsOf(offered)).toEqual(["linux/amd64", "linux/arm64/v8"]);
  });
});
