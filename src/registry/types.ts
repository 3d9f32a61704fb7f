import type { Descriptor, Digest, Platform, Reference } from "#oci";

/** What `X-Registry-Auth` carried; never logged, never stored. */
export interface Credentials {
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

/** `http` and `https` by which hosts are reached, `none` those that are reached straight, as in NO_PROXY. */
export interface RegistryProxies {
  readonly http?: string;
  readonly https?: string;
  readonly none?: string;
}

export interface RegistrySettings {
  /** Tried in order before Docker Hub itself. */
  readonly mirrors: readonly string[];
  /** Hosts or CIDRs that may be spoken to without TLS; 127.0.0.0/8 and ::1 always may. */
  readonly insecure: readonly string[];
  /** Each with a folder a host that holds its certificates; where Docker's engine looks for them unless it is said. */
  readonly certificateFolders?: readonly string[];
  /** Absent: as the environment says. */
  readonly proxies?: RegistryProxies;
  /** How often a request is made, and a blob resumed without progress; absent is Docker's five. */
  readonly attempts?: number;
}

export interface Resolved {
  /** What the tag or digest names: an index or a manifest. */
  readonly root: Descriptor;
  /** The manifest for the platform, verified, and its exact bytes. */
  readonly manifest: Descriptor;
  readonly manifestBytes: Uint8Array;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface RegistryClient extends RegistryPusher {
  /** What the reference names today, by one request without a body; undefined when the registry does not say. */
  digest(reference: Reference, options: { readonly signal: AbortSignal }): Promise<Digest | undefined>;
  resolve(
    reference: Reference,
    options: { readonly platform: Platform; readonly signal: AbortSignal },
  ): Promise<Resolved>;
  /** The manifest or index that a reference names, verified, byte for byte. */
  document(
    reference: Reference,
    options: { readonly signal: AbortSignal },
  ): Promise<{ readonly descriptor: Descriptor; readonly bytes: Uint8Array }>;
  /** All tags of a repository, in the registry's order. */
  tags(reference: Reference, options: { readonly signal: AbortSignal }): Promise<readonly string[]>;
  /** A small blob, whole and verified (the image configuration). */
  fetch(
    reference: Reference,
    descriptor: Descriptor,
    options: { readonly limit: number; readonly signal: AbortSignal },
  ): Promise<Uint8Array>;
  /** A blob's bytes from an offset on, in pieces that are the caller's. Rides out dropped connections by Range; throws when it cannot. */
  stream(
    reference: Reference,
    descriptor: Descriptor,
    options: { readonly offset: number; readonly signal: AbortSignal },
  ): AsyncIterable<Uint8Array>;
}

export type PushedBlob =
  | { readonly how: "exists" | "pushed" }
  | { readonly how: "mounted"; readonly from: string };

export interface RegistryPusher {
  /**
   * Sees to it that the registry has the blob whose bytes `source` is, or the path of a file is. `from` are other
   * repositories of the registry that may have it. Rides out dropped connections; `report` tells the bytes sent so far.
   */
  pushBlob(
    reference: Reference,
    descriptor: Descriptor,
    options: {
      readonly source: Blob | string;
      readonly from: readonly string[];
      readonly signal: AbortSignal;
      report(sentBytes: number): void;
    },
  ): Promise<PushedBlob>;
  /** Whether the registry has the blob in this repository, or could take it from its repository `from` without being sent it. */
  mountBlob(
    reference: Reference,
    descriptor: Descriptor,
    options: { readonly from: string; readonly signal: AbortSignal },
  ): Promise<boolean>;
  /** Under the reference's tag or digest. */
  pushManifest(
    reference: Reference,
    manifest: { readonly bytes: Uint8Array; readonly mediaType: string },
    options: { readonly signal: AbortSignal },
  ): Promise<void>;
}

/** A repository that a search found. */
export interface Found {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly isOfficial: boolean;
  readonly isAutomated: boolean;
}

export type OpenRegistry = (
  settings: RegistrySettings,
  credentials: Credentials | undefined,
) => RegistryClient;
export type { Digest, Platform };
