import { mkdir } from "node:fs/promises";
import { BlobFiles } from "./blobs.ts";
import { Manifests } from "./manifests.ts";
import { Repositories } from "./repositories.ts";
import { UPLOAD_LIMITS, type UploadLimits } from "./room.ts";
import { Uploads } from "./uploads.ts";

/** All that a private registry keeps: `blobs`, `repositories` and `uploads` in one folder. */
export interface RegistryStore {
  readonly blobs: BlobFiles;
  readonly repositories: Repositories;
  readonly manifests: Manifests;
  readonly uploads: Uploads;
}

/** `shared` are content stores of engines on this host, in the same layout. */
export async function openRegistryStore(
  root: string,
  {
    shared = [],
    limits = UPLOAD_LIMITS,
  }: { readonly shared?: readonly string[]; readonly limits?: UploadLimits } = {},
): Promise<RegistryStore> {
  for (const name of ["blobs", "repositories", "uploads"])
    await mkdir(`${root}/${name}`, { recursive: true, mode: 0o700 });
  const blobs = new BlobFiles(`${root}/blobs`, shared);
  const repositories = new Repositories(`${root}/repositories`);
  const manifests = new Manifests(blobs, repositories);
  return { blobs, repositories, manifests, uploads: new Uploads(`${root}/uploads`, blobs, limits) };
}
