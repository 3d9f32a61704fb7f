import { sprintf } from "./printf.ts";
import { isRecord, isTruthy, jsonText, textOf } from "./value.ts";

export type TemplateFunction = (...values: readonly unknown[]) => unknown;

const text = (value: unknown) => textOf(value);

/** The functions of every template: Go's own and docker's. Source: Go, text/template "Functions"; docker, "Format command output". */
export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  json: (value) => jsonText(value),
  join: (list, separator) => (Array.isArray(list) ? list.map(text).join(text(separator)) : text(list)),
  split: (value, separator) => text(value).split(text(separator)),
  lower: (value) => text(value).toLowerCase(),
  upper: (value) => text(value).toUpperCase(),
  title: (value) =>
    text(value).replace(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (_, before, letter) => before + letter.toUpperCase()),
  pad: (value, before, after) => {
    const body = text(value);
    return body === "" ? body : " ".repeat(Number(before)) + body + " ".repeat(Number(after));
  },
  truncate: (value, length) => [...text(value)].slice(0, Number(length)).join(""),
  print: (...values) =>
    spaced(values, (left, right) => typeof left !== "string" && typeof right !== "string"),
  println: (...values) => `${values.map(text).join(" ")}\n`,
  printf: (format, ...values) => sprintf(text(format), values),
  len: lengthOf,
  index: (value, ...keys) => keys.reduce(element, value),
  slice,
  not: (value) => !isTruthy(value),
  eq: (left, ...others) => others.some((other) => isEqual(left, other)),
  ne: (left, right) => !isEqual(left, right),
  lt: (left, right) => order(left, right) < 0,
  le: (left, right) => order(left, right) <= 0,
  gt: (left, right) => order(left, right) > 0,
  ge: (left, right) => order(left, right) >= 0,
  html: (value) => Bun.escapeHTML(text(value)),
  js: (value) => JSON.stringify(text(value)).slice(1, -1),
  urlquery: (value) => encodeURIComponent(text(value)).replaceAll("%20", "+"),
};

/** In a table's heading a function leaves the column's name as it is. Source: docker, header functions. */
const same: TemplateFunction = (value) => value;
export const HEADER_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  ...FUNCTIONS,
  ...Object.fromEntries(
    ["json", "split", "join", "title", "lower", "upper", "pad", "truncate"].map((name) => [name, same]),
  ),
};

function spaced(values: readonly unknown[], isSpaced: (left: unknown, right: unknown) => boolean): string {
  return values
    .map((value, at) => (at > 0 && isSpaced(values[at - 1], value) ? " " : "") + text(value))
    .join("");
}

function lengthOf(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (isRecord(value)) return Object.keys(value).length;
  if (value === null) return 0; // The daemon writes null for an empty list.
  throw new Error(value === undefined ? "len of nil pointer" : `len of type ${typeof value}`);
}

function element(value: unknown, key: unknown): unknown {
  if (Array.isArray(value) || typeof value === "string") {
    const at = Number(key);
    if (!Number.isInteger(at) || at < 0 || at >= value.length)
      throw new Error(`index out of range: ${textOf(key)}`);
    return typeof value === "string" ? value.charCodeAt(at) : value[at];
  }
  if (isRecord(value)) return Object.hasOwn(value, text(key)) ? value[text(key)] : emptyOf(value);
  if (value === null && typeof key === "string") return ""; // The daemon writes null for an empty map of texts.
  throw new Error(
    value === undefined || value === null
      ? "index of untyped nil"
      : `can't index item of type ${typeof value}`,
  );
}

/** What a map holds for a key that it lacks: a map of texts holds the empty text. */
function emptyOf(map: Readonly<Record<string, unknown>>): unknown {
  return Object.values(map).every((value) => typeof value === "string") ? "" : undefined;
}

function slice(value: unknown, from: unknown = 0, to?: unknown): unknown {
  if (!Array.isArray(value) && typeof value !== "string")
    throw new Error(`can't slice item of type ${typeof value}`);
  const [start, end] = [Number(from), Number(to ?? value.length)];
  if (start < 0 || end > value.length || start > end)
    throw new Error(`index out of range: ${Math.max(start, end)}`);
  return value.slice(start, end);
}

function isEqual(left: unknown, right: unknown): boolean {
  const [a, b] = [left ?? null, right ?? null];
  if (a !== null && b !== null && typeof a !== typeof b) throw new Error("incompatible types for comparison");
  if (typeof a === "object" && a !== null && b !== null) throw new Error("non-comparable type");
  return a === b;
}

function order(left: unknown, right: unknown): number {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (typeof left === "string" && typeof right === "string") return left < right ? -1 : left > right ? 1 : 0;
  throw new Error(
    typeof left === typeof right ? "invalid type for comparison" : "incompatible types for comparison",
  );
}
