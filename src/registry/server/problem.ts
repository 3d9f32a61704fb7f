/** Source: OCI distribution specification 1.1, "Error codes". */
export type ProblemCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DENIED"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "RANGE_INVALID"
  | "SIZE_INVALID"
  | "TOOMANYREQUESTS"
  | "UNAUTHORIZED"
  | "UNSUPPORTED"
  | "UNAVAILABLE"
  | "UNKNOWN";

/** What a client of the registry is told: a status, a code for programs and a sentence for people. */
export class RegistryProblem extends Error {
  override readonly name = "RegistryProblem";

  constructor(
    readonly status: number,
    readonly code: ProblemCode,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export function problemResponse({ status, code, message, headers }: RegistryProblem): Response {
  return Response.json({ errors: [{ code, message }] }, { status, headers });
}

export const unknownBlob = (digest: string): RegistryProblem =>
  new RegistryProblem(404, "BLOB_UNKNOWN", `blob ${digest} is not in this repository`);

export const unknownManifest = (reference: string): RegistryProblem =>
  new RegistryProblem(404, "MANIFEST_UNKNOWN", `manifest ${reference} is not in this repository`);

export const unknownName = (name: string): RegistryProblem =>
  new RegistryProblem(404, "NAME_UNKNOWN", `repository ${name} is not known to this registry`);
