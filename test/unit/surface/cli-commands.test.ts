import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { FlagTable } from "../../../src/cli/flags.ts";
import { GLOBAL_FLAGS } from "../../../src/cli/globals.ts";
import { leafAt } from "../../../src/cli/tree.ts";

/** docker's commands that must be here, with every spelling and every flag. */
const TABLE = resolve(import.meta.dir, "cli-commands.tsv");
/** The list that the table was taken from, where it lies beside the project. */
const LIST = resolve(import.meta.dir, "../../../../shared/surface/cli-commands.tsv");

/** Families of commands that need what is not here: swarm mode, managed plugins, notary, BuildKit; compose is a plugin. */
const OTHER_FAMILIES =
  /^docker (plugin|swarm|node|service|stack|secret|config|trust|buildx|compose|bake)( |$)/;

const WINDOWS = "of daemons on Windows";
const BUILDER = "there is no builder: whatever the flags, the command says so";

/** Flags that are not here, and why: of all commands, or of one. */
const ABSENT_FLAGS: Readonly<Record<string, string>> = {
  "cpu-count": WINDOWS,
  "cpu-percent": WINDOWS,
  "io-maxbandwidth": WINDOWS,
  "io-maxiops": WINDOWS,
  "use-api-socket": "experimental: hands the engine's socket and credentials to a container",
};

interface Row {
  readonly command: string;
  readonly spellings: readonly string[];
  readonly flags: readonly Flag[];
}

interface Flag {
  readonly name: string;
  readonly short: string | undefined;
  readonly isSwitch: boolean;
}

function rowOf(line: string): Row {
  const [command = "", aliases = "", flags = ""] = line.split("\t");
  const spellings = [...new Set([command, ...aliases.split(", ").filter((name) => name !== "")])];
  return { command, spellings, flags: flagsOf(flags) };
}

/** `-a/--all --filter=<filter>` */
function flagsOf(text: string): Flag[] {
  return [...text.matchAll(/(?:-(\w)\/)?--([\w-]+)(=<[^>]+>)?/g)].map(([, short, name = "", value]) => ({
    name,
    short,
    isSwitch: value === undefined,
  }));
}

const linesOf = (path: string) => readFileSync(path, "utf8").trimEnd().split("\n").slice(1);
const rows = linesOf(TABLE).map(rowOf);
const found = (spelling: string) => leafAt(spelling.split(" ").slice(1), "docker")?.leaf;

describe("docker's commands", () => {
  test.each(rows.map((row) => [row.command, row] as const))(
    "%s is there under all its names, with all its flags",
    async (_, { spellings, flags }) => {
      const [leaf] = spellings.map(found);
      expect(spellings.filter((spelling) => found(spelling) !== leaf || leaf === undefined)).toEqual([]);
      const command = await leaf?.load();
      const table: FlagTable = command?.flags ?? {};
      const wanted = command?.isUnparsed ? [] : flags.filter(({ name }) => ABSENT_FLAGS[name] === undefined);
      const ours = wanted.map(({ name }) => ({
        name,
        short: table[name]?.short,
        isSwitch: table[name]?.kind === "bool",
      }));
      expect(ours).toEqual([...wanted]);
    },
  );

  test(`take any flag where ${BUILDER}`, async () => {
    const { build } = await import("../../../src/cli/commands/build.ts");
    expect(build.isUnparsed).toBe(true);
  });

  test("lack the flags that are called absent", async () => {
    const { run } = await import("../../../src/cli/commands/run.ts");
    expect(Object.keys(ABSENT_FLAGS).filter((name) => name in run.flags)).toEqual([]);
  });
});

test("docker's flags before the command are there", () => {
  const text =
    "--config=<s> -c/--context=<s> -D/--debug -H/--host=<l> -l/--log-level=<s> --tls --tlscacert=<s> --tlscert=<s> --tlskey=<s> --tlsverify -v/--version";
  const ours = Object.entries(GLOBAL_FLAGS).map(([name, flag]) => ({
    name,
    short: "short" in flag ? flag.short : undefined,
    isSwitch: flag.kind === "bool",
  }));
  expect(ours).toEqual(expect.arrayContaining(flagsOf(text)));
});

const isListed = existsSync(LIST);
test.skipIf(!isListed)(
  `the table holds every command of the list that must be there${isListed ? "" : " (skipped: the list is not beside the project)"}`,
  () => {
    const wanted = linesOf(LIST).flatMap((line) => {
      const [command = "", origin, kind, priority = "", aliases = "", flags = "", added = ""] =
        line.split("\t");
      const isWanted = origin === "docker" && kind === "command" && /^[AB]$/.test(priority);
      return isWanted && !OTHER_FAMILIES.test(command)
        ? [rowOf([command, aliases, `${flags} ${added}`].join("\t"))]
        : [];
    });
    expect(wanted.length).toBeGreaterThan(100);
    expect(rows).toEqual(wanted);
  },
);
