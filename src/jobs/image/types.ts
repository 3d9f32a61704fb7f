import type { Image } from "#graph";
import type { Descriptor, Digest, Platform } from "#oci";
import type { Found } from "#registry";
import type { Filters, Ref } from "../shapes.ts";

export interface ImageView extends Image {
  readonly containers: number;
}

export interface HistoryEntry {
  readonly id: string;
  readonly created: string;
  readonly createdBy: string;
  readonly size: number;
  readonly comment: string;
  readonly tags: readonly string[];
}

/** Sizes in bytes. `sharedBytes`: of the layers that another image has as well. */
export interface ImageUsage {
  readonly layersBytes: number;
  readonly images: readonly { readonly image: ImageView; readonly sharedBytes: number }[];
}

/** `os/architecture[/variant]`: an image of another one counts as not there. */
interface AskedPlatform {
  readonly platform?: string;
}

export type ImageJobs = {
  /** Credentials come in the environment: `REGISTRY_AUTH`, the JSON of X-Registry-Auth decoded. */
  readonly "image.pull": {
    readonly input: { readonly reference: string; readonly platform?: string; readonly allTags: boolean };
    readonly output: { readonly id: Digest; readonly digest: Digest; readonly changed: boolean };
  };
  /** `source`: "-" for the input stream, else an address. Dockerfile instructions in `changes`. */
  readonly "image.import": {
    readonly input: {
      readonly source: string;
      readonly repository: string;
      readonly tag: string;
      readonly message: string;
      readonly platform: string;
      readonly changes: string[];
    };
    readonly output: { readonly id: Digest };
  };
  /** References, ids or repositories with all their tags, as one archive: docker's and an OCI layout at once. */
  readonly "image.save": {
    readonly input: { readonly names: readonly string[]; readonly platform?: string };
    readonly output: AsyncIterable<Uint8Array>;
  };
  /** Repositories of Docker Hub, or of the registry that the term names; credentials as for a pull. */
  readonly "image.search": {
    readonly input: { readonly term: string; readonly limit: number; readonly filters: Filters };
    readonly output: readonly Found[];
  };
  /** Out of the input stream. Tells in text what was loaded, and unless `quiet` how it goes. */
  readonly "image.load": {
    readonly input: { readonly quiet: boolean; readonly platform?: string };
    readonly output: { readonly loaded: readonly Digest[] };
  };
  /** Asks the registry that the reference names; credentials as for a pull. */
  readonly "image.distribution": {
    readonly input: { readonly reference: string };
    readonly output: {
      readonly descriptor: Descriptor;
      readonly platforms: readonly (Platform & { readonly "os.version"?: string })[];
    };
  };
  /** To the registry that the reference names. Without a tag all tags of the repository go. */
  readonly "image.push": {
    readonly input: { readonly reference: string };
    readonly output: { readonly pushed: readonly { readonly tag: string; readonly digest: Digest }[] };
  };
  readonly "image.list": {
    readonly input: { readonly all: boolean; readonly filters: Filters };
    readonly output: readonly ImageView[];
  };
  readonly "image.inspect": {
    readonly input: Ref & AskedPlatform;
    readonly output: ImageView & {
      readonly graphData: Readonly<Record<string, string>>;
      readonly driver: string;
    };
  };
  readonly "image.history": { readonly input: Ref & AskedPlatform; readonly output: readonly HistoryEntry[] };
  readonly "image.tag": {
    readonly input: Ref & { readonly repository: string; readonly tag: string };
    readonly output: Record<string, never>;
  };
  readonly "image.remove": {
    readonly input: Ref & AskedPlatform & { readonly force: boolean; readonly prune: boolean };
    readonly output: { readonly untagged: readonly string[]; readonly deleted: readonly string[] };
  };
  readonly "image.usage": { readonly input: Record<string, never>; readonly output: ImageUsage };
  readonly "image.prune": {
    readonly input: { readonly filters: Filters };
    readonly output: {
      readonly untagged: readonly string[];
      readonly deleted: readonly string[];
      readonly reclaimedBytes: number;
    };
  };
};
