import type { Filters, Labels } from "#client";
import type { Columns } from "./output/list.ts";
import type { Session } from "./session.ts";

/** The flag that every list has. */
export const FORMAT_FLAG = {
  kind: "text",
  hint: "string",
  about: "Format output: 'table', 'table TEMPLATE', 'json', or a Go template",
} as const;

/** `--format`, else what the configuration says for this list (`psFormat`), unless only ids are asked for. */
export function formatFor(
  { config }: Pick<Session, "config">,
  { asked, setting, isQuiet = false }: { asked: string; setting: string; isQuiet?: boolean },
): string {
  return asked !== "" || isQuiet ? asked : config.text(setting);
}

export const FILTER_FLAG = {
  kind: "list",
  short: "f",
  hint: "filter",
  about: "Filter output based on conditions provided",
  check: (text: string) => (text.includes("=") ? undefined : "bad format of filter (expected name=value)"),
} as const;

/** `--filter key=value`, several of a key together. The flag has checked the form. */
export function filtersOf(texts: readonly string[]): Filters {
  const filters: Record<string, string[]> = {};
  for (const text of texts) {
    const equals = text.indexOf("=");
    const key = text.slice(0, equals).trim().toLowerCase();
    filters[key] = [...(filters[key] ?? []), text.slice(equals + 1).trim()];
  }
  return filters;
}

/** The columns `.Labels` and `.Label "key"`. */
export function labelColumns<Row>(labelsOf: (row: Row) => Labels | null | undefined): Columns<Row> {
  return {
    Labels: {
      heading: "LABELS",
      value: (row) =>
        Object.entries(labelsOf(row) ?? {})
          .map(([key, value]) => `${key}=${value}`)
          .sort()
          .join(","),
    },
    Label: { heading: "LABEL", value: (row) => (key) => labelsOf(row)?.[String(key)] ?? "" },
  };
}
