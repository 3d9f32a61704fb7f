import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";

const PROJECT = resolve(import.meta.dir, "../../..");
/** The list of what users expect of an engine, where it lies beside the project. */
const FEATURES = resolve(PROJECT, "../shared/surface/FEATURES.md");

export interface Row {
  /** As the feature is written in the list. */
  readonly feature: string;
  /** Files, and what the title of a test in them says. */
  readonly tests?: Readonly<Record<string, readonly string[]>>;
  /** Why there is no test: the feature is not there. */
  readonly missing?: string;
}

/** A file, and what the titles of tests in it, or their words, say: what would fail without the thing. */
export type Living = readonly [file: string, ...words: string[]];

/** Fails unless the file is there and says so. */
export function expectLiving([file, ...words]: Living): void {
  const text = readFileSync(resolve(PROJECT, file), "utf8");
  expect(words.length).toBeGreaterThan(0);
  for (const word of words) expect(text).toContain(word);
}

/** Tests that each row's tests are there, and that each feature of the section that must be there has its row. */
export function describeRows(rows: readonly Row[], heading: string): void {
  for (const { feature, tests = {}, missing } of rows)
    test.skipIf(missing !== undefined)(
      `${feature}${missing === undefined ? " is tested" : ` (skipped: ${missing})`}`,
      () => {
        for (const [file, titles] of Object.entries(tests)) {
          const text = readFileSync(resolve(PROJECT, file), "utf8");
          for (const title of titles) expect(text).toContain(title);
        }
        expect(Object.keys(tests).length).toBeGreaterThan(0);
      },
    );

  const isListed = existsSync(FEATURES);
  test.skipIf(!isListed)(
    `every feature of "${heading}" that must be there has a row${isListed ? "" : " (skipped: the list is not beside the project)"}`,
    () => {
      const wanted = wantedOf(heading);
      expect(wanted.length).toBeGreaterThan(5);
      expect(rows.map(({ feature }) => feature)).toEqual([...wanted]);
    },
  );
}

/** Priority A or B, or one of those that the project was begun for. */
function wantedOf(heading: string): readonly string[] {
  const [, section = ""] = readFileSync(FEATURES, "utf8").split(heading);
  const [table = ""] = section.split("\n## ", 1);
  return table.split("\n").flatMap((line) => {
    const [, feature = "", , , , priority = ""] = line.split("|").map((cell) => cell.trim());
    const isWanted = /^[AB]$/.test(priority) || (feature.includes("[seed") && priority !== "");
    return isWanted ? [feature.replace(/ ?\[seed[^\]]*\]/g, "").replace(/ \(remote driver.*\)$/, "")] : [];
  });
}
