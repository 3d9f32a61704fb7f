import type { Filters } from "./types.ts";

/** The `filters` query value: `{"label":{"a=b":true}}`, or nothing when there are none. */
export function filtersQuery(filters: Filters | undefined): string | undefined {
  if (filters === undefined || Object.keys(filters).length === 0) return undefined;
  const wire = Object.entries(filters).map(
    ([key, values]) => [key, Object.fromEntries(values.map((value) => [value, true]))] as const,
  );
  return JSON.stringify(Object.fromEntries(wire));
}

/** One segment of a path; a name that could climb is escaped. */
export function segment(name: string): string {
  return encodeURIComponent(name);
}

/** An image's name inside a path: its slashes stay. */
export function imagePath(name: string): string {
  return name.split("/").map(encodeURIComponent).join("/");
}
