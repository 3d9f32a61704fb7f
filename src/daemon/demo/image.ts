import { type Entry, headerOf, paddingAfter, TRAILER } from "#archive";
import { type Descriptor, MEDIA, sha256 } from "#oci";
import { FACTS } from "../facts.ts";

/** An image that is made, not fetched: its blobs by digest, and the manifest that names them. */
export interface DemoImage {
  readonly manifest: Descriptor;
  readonly manifestBytes: Uint8Array;
  readonly config: Descriptor;
  readonly layer: Descriptor;
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

/** Everything in it is of this moment, so that the same program makes the same image. */
const MADE = "2026-01-01T00:00:00Z";

/** `bunker/demo`: one static program that serves one page. Source: OCI image specification 1.1. */
export function demoImage(server: Uint8Array): DemoImage {
  const blobs = new Map<string, Uint8Array>();
  const add = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const digest = sha256(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const tar = Buffer.concat([headerOf(entryOf(server)), server, paddingAfter(server.length), TRAILER]);
  const layer = add(MEDIA.ociLayer, tar);
  const config = add(MEDIA.ociConfig, json(configOf(layer)));
  const manifestBytes = json({ schemaVersion: 2, mediaType: MEDIA.ociManifest, config, layers: [layer] });
  const manifest = add(MEDIA.ociManifest, manifestBytes);
  return { manifest, manifestBytes, config, layer, blobs };
}

function entryOf(server: Uint8Array): Entry {
  return {
    type: "file",
    path: "server",
    target: "",
    mode: 0o755,
    uid: 0,
    gid: 0,
    size: server.length,
    modified: { seconds: Date.parse(MADE) / 1000, nanoseconds: 0 },
    major: 0,
    minor: 0,
    attributes: new Map(),
    segments: undefined,
  };
}

function configOf({ digest }: Descriptor) {
  return {
    architecture: FACTS.architecture,
    os: "linux",
    created: MADE,
    config: { Entrypoint: ["/server"], ExposedPorts: { "80/tcp": {} }, Env: ["PATH=/"], WorkingDir: "/" },
    rootfs: { type: "layers", diff_ids: [digest] },
    history: [{ created: MADE, created_by: "bunker", comment: "a static HTTP server" }],
  };
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
