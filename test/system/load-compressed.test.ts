import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Digest, MEDIA, sha256 } from "#oci";
import { type TarMember, tarOf } from "../fakes/tar.ts";
import { HostPart, PATIENCE } from "../fixtures/host-part.ts";
import { requirePackages } from "../fixtures/packages.ts";

const isRoot = process.getuid?.() === 0;
const PLAIN = [tarOf([{ path: "below", data: "below" }]), tarOf([{ path: "above", data: "above" }])] as const;
const PROGRAMS = ["xz", "bzip2"] as const;
const LAYERS = PROGRAMS.map((program, at) => compressed(program, PLAIN[at] ?? PLAIN[0]));

function compressed(program: string, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(Bun.spawnSync([program, "-c"], { stdin: bytes }).stdout);
}

const configOf = (diffIds: readonly Digest[]) =>
  Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: {},
      rootfs: { type: "layers", diff_ids: diffIds },
    }),
  );
const RIGHT = configOf(PLAIN.map((plain) => sha256(plain)));

/** As docker has it. */
function dockerArchive(config: Uint8Array, layers: readonly Uint8Array[]): Uint8Array {
  const names = layers.map((_, at) => `${at}/layer.tar`);
  const manifest = [{ Config: "config.json", RepoTags: ["squeezed:latest"], Layers: names }];
  return tarOf([
    { path: "manifest.json", data: JSON.stringify(manifest) },
    { path: "config.json", data: config },
    ...layers.map((data, at) => ({ path: names[at] ?? "", data })),
  ]);
}

/** As an OCI layout has it, whose manifest names what is not kept. */
function ociArchive(config: Uint8Array, layers: readonly Uint8Array[]): Uint8Array {
  const blobs: TarMember[] = [];
  const blob = (mediaType: string, data: Uint8Array) => {
    const digest = sha256(data);
    blobs.push({ path: `blobs/${digest.replace(":", "/")}`, data });
    return { mediaType, digest, size: data.length };
  };
  const manifest = blob(
    MEDIA.ociManifest,
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA.ociManifest,
        config: blob(MEDIA.ociConfig, config),
        layers: layers.map((data) => blob(MEDIA.ociLayer, data)),
      }),
    ),
  );
  const named = {
    ...manifest,
    annotations: { "io.containerd.image.name": "docker.io/library/squeezed:latest" },
  };
  return tarOf([
    { path: "oci-layout", data: '{"imageLayoutVersion":"1.0.0"}' },
    { path: "index.json", data: JSON.stringify({ schemaVersion: 2, manifests: [named] }) },
    ...blobs,
  ]);
}

describe.skipIf(!isRoot)(`layers compressed by xz and bzip2${isRoot ? "" : " (skipped: needs root)"}`, () => {
  let part: HostPart;
  beforeAll(async () => {
    await requirePackages(["bzip2", "xz-utils"]);
    part = await HostPart.open();
  }, PATIENCE);
  afterAll(() => part?.[Symbol.asyncDispose](), PATIENCE);

  async function load(archive: Uint8Array): Promise<string> {
    const reply = await fetch("http://bunker/images/load", {
      unix: part.daemon.socket,
      method: "POST",
      headers: { "Content-Type": "application/x-tar" },
      body: archive,
    });
    return reply.text();
  }

  test.each([
    ["docker's archive", dockerArchive],
    ["an OCI layout", ociArchive],
  ])("are taken from %s, with the image's own digests", async (_name, archive) => {
    expect(await load(archive(RIGHT, LAYERS))).toContain("Loaded image: squeezed:latest");
    const image = await part.ask<{ Id: string; RootFS: { Layers: string[] } }>(
      "GET",
      "/images/squeezed/json",
    );
    expect([image.Id, image.RootFS.Layers]).toEqual([sha256(RIGHT), PLAIN.map((plain) => sha256(plain))]);
    const { Id } = await part.ask<{ Id: string }>("POST", "/containers/create", {
      Image: "squeezed",
      Cmd: ["x"],
    });
    expect(await part.daemon.ok("cp", `${Id}:/above`, "-")).toContain("above");
    expect(await part.daemon.ok("cp", `${Id}:/below`, "-")).toContain("below");
    await part.remove(Id);
    expect(await part.daemon.ok("save", "squeezed")).toContain(sha256(RIGHT).slice("sha256:".length));
    await part.ask("DELETE", "/images/squeezed");
    expect(await part.daemon.ok("doctor")).not.toContain(sha256(RIGHT));
  });

  test("that are not what the image says, or damaged, are refused and leave nothing", async () => {
    const [first = PLAIN[0], second = PLAIN[1]] = LAYERS;
    const other = compressed("xz", tarOf([{ path: "else", data: "else" }]));
    expect(await load(dockerArchive(RIGHT, [other, second]))).toMatch(/but the image's configuration says/);
    const cut = first.subarray(0, first.length - 8);
    expect(await load(dockerArchive(RIGHT, [cut, second]))).toMatch(/compression is damaged/);
    expect(await part.ask<unknown[]>("GET", "/images/json")).toEqual([]);
    expect([...new Bun.Glob("**").scanSync(`${part.daemon.dataRoot}/content/sha256`)]).toEqual([]);
  });
});
