import { z } from "zod";
import { Fault, type FaultKind } from "#errors";
import { familiarReference, familiarRepository, type Reference } from "#oci";
import type { Answer } from "./answer.ts";
import type { Limits } from "./limits.ts";

/** Source: OCI distribution specification 1.1, "Error Codes"; token services say `details` instead. */
const ErrorBody = z.object({
  errors: z.array(z.object({ code: z.string().default(""), message: z.string().nullish() })).optional(),
  details: z.string().optional(),
  message: z.string().optional(),
});

const LONGEST_MESSAGE = 400;

export interface Problem {
  /** `MANIFEST_UNKNOWN`, or empty */
  readonly code: string;
  readonly message: string;
}

/** What a registry says has gone wrong, fit to be shown; empty where it says nothing readable. */
export async function readProblem(answer: Answer, { errorBody }: Limits): Promise<Problem> {
  try {
    const text = new TextDecoder().decode(await answer.bytes(errorBody, "an error"));
    const { errors, details, message } = ErrorBody.parse(JSON.parse(text));
    const [first] = errors ?? [];
    return {
      code: printable(first?.code ?? "").toUpperCase(),
      message: printable(first?.message ?? details ?? message ?? ""),
    };
  } catch {
    return { code: "", message: "" };
  }
}

/** Control characters of a stranger shall not reach a terminal. */
function printable(text: string): string {
  return text
    .replace(/\p{C}+/gu, " ")
    .trim()
    .slice(0, LONGEST_MESSAGE);
}

const WORDS: Readonly<Record<string, string>> = {
  MANIFEST_UNKNOWN: "manifest unknown",
  NAME_UNKNOWN: "name unknown",
  BLOB_UNKNOWN: "blob unknown",
  DENIED: "denied",
  UNAUTHORIZED: "unauthorized",
  TOOMANYREQUESTS: "toomanyrequests",
};
const MESSAGES: Readonly<Record<string, string>> = {
  MANIFEST_UNKNOWN: "manifest unknown",
  NAME_UNKNOWN: "repository name not known to registry",
  BLOB_UNKNOWN: "blob unknown to registry",
  DENIED: "requested access to the resource is denied",
  UNAUTHORIZED: "authentication required",
  TOOMANYREQUESTS: "too many requests",
};

export type Subject = "manifest" | "blob" | "tags" | "push" | "search";

/** What was asked for, and how the registry answered. */
export interface Refusal extends Problem {
  readonly status: number;
  readonly host: string;
  readonly subject: Subject;
}

/** An answer that is no success, as the Fault that Docker's clients expect for it. */
export function faultOf(reference: Reference, refusal: Refusal): Fault {
  const { status, host } = refusal;
  const code = refusal.code || codeOf(refusal);
  const word = WORDS[code] ?? (code.toLowerCase() || `status ${status}`);
  const cause = `${word}: ${refusal.message || (MESSAGES[code] ?? "no reason given")}`;
  const name = familiarRepository(reference);
  if (refusal.subject === "push") return pushFault(refusal, { word, cause, name });
  if (refusal.subject === "search")
    return new Fault(KINDS[status] ?? "unavailable", `Cannot search ${host} for ${reference.path}: ${cause}`);
  if (code === "DENIED" || status === 403)
    return new Fault(
      "not_found",
      `pull access denied for ${name}, repository does not exist or may require 'docker login': ${cause}`,
    );
  if (code === "NAME_UNKNOWN") return new Fault("not_found", `repository ${name} not found: ${cause}`);
  if (code === "MANIFEST_UNKNOWN")
    return new Fault("not_found", `manifest for ${familiarReference(reference)} not found: ${cause}`);
  const sentence = `Cannot get a ${refusal.subject} of ${name} from ${host}: ${cause}`;
  return new Fault(KINDS[status] ?? "unavailable", sentence);
}

/** Docker says of a push only what the registry said. */
function pushFault(
  { status, host }: Refusal,
  { word, cause, name }: { readonly word: string; readonly cause: string; readonly name: string },
): Fault {
  if (status === 401 || status === 403)
    return new Fault(word === "unauthorized" ? "unauthorized" : "denied", cause);
  return new Fault(KINDS[status] ?? "unavailable", `Cannot push ${name} to ${host}: ${cause}`);
}

const KINDS: Readonly<Record<number, FaultKind>> = { 400: "invalid", 401: "unauthorized", 404: "not_found" };
const MISSING = {
  manifest: "MANIFEST_UNKNOWN",
  blob: "BLOB_UNKNOWN",
  tags: "NAME_UNKNOWN",
  push: "BLOB_UNKNOWN",
  search: "",
} as const;

function codeOf({ status, subject }: Refusal): string {
  if (status === 404) return MISSING[subject];
  if (status === 401) return "UNAUTHORIZED";
  if (status === 403) return "DENIED";
  return status === 429 ? "TOOMANYREQUESTS" : "";
}
