/** A method of a value: called with what follows its name in the template. */
export type Method = (...values: readonly unknown[]) => unknown;

/** Whether Go's `if` would take the value for true. */
export function isTruthy(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isRecord(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** How Go's `%v` prints the value: `map[a:1 b:2]`, `{1 2}`, `[a b]`, `<no value>`. */
export function textOf(value: unknown): string {
  if (value === undefined) return "<no value>";
  if (value === null) return "<nil>";
  if (typeof value === "string") return value;
  if (typeof value === "number") return numberText(value);
  if (Array.isArray(value)) return `[${value.map(textOf).join(" ")}]`;
  if (isRecord(value)) return recordText(value);
  return String(value);
}

/** The name of a field of a Go struct, as the API's objects have them; keys of maps are seldom like it. */
const FIELD_NAME = /^[A-Z][A-Za-z0-9]*$/;

/** A struct by its values in their order, `{running 42}`; a map by its keys in order, `map[a:1 b:2]`. */
function recordText(value: Readonly<Record<string, unknown>>): string {
  const keys = Object.keys(value);
  if (keys.length > 0 && keys.every((key) => FIELD_NAME.test(key)))
    return `{${keys.map((key) => textOf(value[key])).join(" ")}}`;
  const pairs = keys.sort().map((key) => `${key}:${textOf(value[key])}`);
  return `map[${pairs.join(" ")}]`;
}

function numberText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return BigInt(value).toString();
  return String(value).replace(/e([+-])(\d)$/, "e$10$2");
}

/** JSON as Go writes it: the keys of maps sorted when `isSorted`, no escaping of HTML. */
export function jsonText(value: unknown, isSorted = false): string {
  return JSON.stringify(isSorted ? sorted(value) : (value ?? null)) ?? "null";
}

function sorted(value: unknown): unknown {
  if (!isRecord(value)) return value ?? null;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, value[key]]),
  );
}
