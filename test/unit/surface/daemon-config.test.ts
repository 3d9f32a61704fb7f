import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { readFlags } from "../../../src/daemon/flags.ts";
import { REFUSED, refusal } from "../../../src/daemon/refused.ts";
import { RELOADABLE } from "../../../src/daemon/reload.ts";
import { SETTINGS, type Setting } from "../../../src/daemon/settings.ts";

/** Docker's settings, where their list lies beside the project. */
const LIST = resolve(import.meta.dir, "../../../../shared/surface/daemon-config.tsv");
/** Words of the command line alone, and what answers them. */
const FLAGS_ONLY: Readonly<Record<string, string>> = {
  "(flag only) validate": "wantsValidation",
  "--config-file": "configFile",
  "-v/--version": "the client's -v",
};

interface Row {
  readonly key: string;
  readonly flags: readonly string[];
  readonly priority: string;
  readonly isReloadable: boolean;
}

const isThere = existsSync(LIST);
const rows = isThere ? readFileSync(LIST, "utf8").trimEnd().split("\n").slice(1).map(rowOf) : [];

function rowOf(line: string): Row {
  const [key = "", flag = "", , , priority = "", reloadable = ""] = line.split("\t");
  return { key, flags: flag.match(/--[a-z0-9-]+/g) ?? [], priority, isReloadable: reloadable === "yes" };
}

const settingOf = (key: string): Setting | undefined =>
  (SETTINGS as readonly Setting[]).find((setting) => setting.key === key);

describe.skipIf(!isThere)(
  `Docker's settings of the daemon${isThere ? "" : " (skipped: the list is not beside the project)"}`,
  () => {
    const wanted = rows.filter(
      ({ key, priority }) => /^[AB]$/.test(priority) && !key.startsWith("(flag only)"),
    );
    const stateOf = ({ key, isReloadable }: Row) => {
      if (settingOf(key) === undefined) return `refused: ${REFUSED[key] ?? "NO REASON"}`;
      return isReloadable ? "takes effect, also by SIGHUP" : "takes effect";
    };
    test.each(wanted.map((row) => [row.key, stateOf(row), row] as const))("%s %s", (key, _, row) => {
      const setting = settingOf(key);
      expect([setting !== undefined, REFUSED[key] !== undefined]).toContainAllValues([true, false]);
      if (setting === undefined) {
        for (const flag of row.flags) {
          const reason = refusal(flag.slice(2));
          expect(reason).toBe(REFUSED[key] ?? "NO REASON");
          expect(() => readFlags(["daemon", `${flag}=x`])).toThrow(reason);
        }
        return;
      }
      expect(row.flags).toEqual(setting.flag === undefined ? [] : [`--${setting.flag}`]);
      if (row.isReloadable) expect(RELOADABLE as readonly string[]).toContain(key);
    });

    test("the words that only the command line has are read", () => {
      const words = rows.filter(
        ({ key, priority }) => key.startsWith("(flag only)") && /^[AB]$/.test(priority),
      );
      expect(words.length).toBe(3);
      expect(Object.keys(FLAGS_ONLY).length).toBe(words.length);
      expect(readFlags(["--validate", "--config-file", "/x"])).toMatchObject({
        wantsValidation: true,
        configFile: "/x",
      });
    });
  },
);

test("nothing is refused that takes effect", () => {
  expect(SETTINGS.filter(({ key }) => key in REFUSED)).toEqual([]);
});
