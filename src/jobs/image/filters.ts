import { didYouMean, Fault } from "#errors";
import type { Image, Images } from "#graph";
import { familiarReference, familiarRepository, type Reference } from "#oci";
import type { Filters } from "../types.ts";
import { findImage } from "./find.ts";
import { parseUntil } from "./until.ts";

const NEVER = 0;

/** Throws `invalid` in Docker's words when there is a filter that this verb does not know. */
export function checkFilters(filters: Filters, known: readonly string[]): void {
  const unknown = Object.keys(filters).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw new Fault("invalid", `invalid filter '${unknown}'${didYouMean(unknown, known)}`);
}

/** A filter that is true or false, once; undefined when it is not given. */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const values = filters[key] ?? [];
  if (values.length === 0) return undefined;
  const meant = new Set(values.map((value) => BOOLEANS[value.toLowerCase()]));
  const [first] = meant;
  if (meant.size === 1 && first !== undefined) return first;
  throw new Fault("invalid", `invalid filter '${key}=[${values.join(" ")}]'`);
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  "1": true,
  true: true,
  t: true,
  "0": false,
  false: false,
  f: false,
};

export type ImageFilter = (image: Image) => boolean;

/** What `before`, `since`, `until` and the labels let through; each is looked up once. */
export function imageFilter(
  filters: Filters,
  { images, now }: { readonly images: Pick<Images, "find">; readonly now: number },
): ImageFilter {
  const created = (refs: readonly string[] = []) => refs.map((ref) => createdAt(findImage(images, ref)));
  const before = Math.min(...created(filters.before));
  const since = Math.max(...created(filters.since));
  const until = Math.min(...(filters.until ?? []).map((text) => parseUntil(text, now)));
  const labels = filters.label ?? [];
  const barred = filters["label!"] ?? [];
  return (image) => {
    const at = createdAt(image);
    const isInTime = at < before && at > since && at < until;
    return (
      isInTime &&
      labels.every((label) => hasLabel(image, label)) &&
      !barred.some((label) => hasLabel(image, label))
    );
  };
}

function hasLabel({ config }: Image, wanted: string): boolean {
  const labels = config.config?.Labels ?? {};
  const equals = wanted.indexOf("=");
  if (equals < 0) return Object.hasOwn(labels, wanted);
  const key = wanted.slice(0, equals);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(equals + 1);
}

/** Milliseconds since the epoch, by the image's own word; images that do not say are older than all. */
export function createdAt({ config }: Pick<Image, "config">): number {
  const moment = Date.parse(config.created ?? "");
  return Number.isNaN(moment) ? NEVER : moment;
}

/** Whether a reference fits one of the patterns, as it is written in full or without its tag. */
export function matchesReference(reference: Reference, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const expression = pathPattern(pattern);
    return expression.test(familiarReference(reference)) || expression.test(familiarRepository(reference));
  });
}

/** `*` and `?` stay within a component. Source: Go, path.Match. */
function pathPattern(pattern: string): RegExp {
  const parts = pattern.matchAll(/\[(\^?)((?:[^\]\\]|\\.)+)\]|\\(.)|([*]+)|(\?)|([^[\\*?])|(.)/gsu);
  let source = "";
  for (const [, not, set, escaped, star, one, plain, odd] of parts) {
    if (odd !== undefined) throw new Fault("invalid", `invalid filter 'reference=${pattern}'`);
    if (set !== undefined) source += `[${not}${set.replace(/\\(.)/g, "$1").replace(/[\]\\[^&~]/g, "\\$&")}]`;
    else if (star !== undefined) source += "[^/]*";
    else if (one !== undefined) source += "[^/]";
    else source += RegExp.escape(escaped ?? plain ?? "");
  }
  try {
    return new RegExp(`^${source}$`, "u");
  } catch (cause) {
    throw new Fault("invalid", `invalid filter 'reference=${pattern}'`, { cause });
  }
}
