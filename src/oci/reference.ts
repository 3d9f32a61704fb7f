import type { Digest } from "./digest.ts";

/** A normalised image reference. Source: distribution/reference grammar; Docker Hub's short names. */
export interface Reference {
  /** `docker.io`, `localhost:5000` */
  readonly domain: string;
  /** `library/httpd` */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}
