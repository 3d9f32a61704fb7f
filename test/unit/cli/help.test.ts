import { describe, expect, test } from "bun:test";
import { GROUPS, TOP } from "../../../src/cli/tree.ts";
import { told } from "../../fakes/fake-console.ts";

const NOWHERE = "unix:///nonexistent.sock";

describe("help", () => {
  const leaves = [
    ...Object.keys(TOP).map((name) => [name]),
    ...Object.entries(GROUPS).flatMap(([group, { commands }]) =>
      Object.keys(commands).map((name) => [group, name]),
    ),
  ];

  test.each(leaves)("of bunker %s %s has a usage and an example", async (...words) => {
    const { code, out } = await told(NOWHERE, [
      ...words.filter((word) => typeof word === "string"),
      "--help",
    ]);
    expect(code).toBe(0);
    expect(out).toStartWith(`Usage:  bunker ${words.filter((word) => typeof word === "string").join(" ")}`);
    expect(out).toContain("\nExample:\n  bunker ");
    expect(
      Math.max(
        ...out
          .split("\n")
          .filter((line) => line.startsWith("  "))
          .map((line) => line.length),
      ),
    ).toBeLessThan(110);
  });

  test.each([[[]], [["--help"]], [["help"]], [["container"]], [["jobs", "--help"]]])(
    "of %p lists commands",
    async (words) => {
      const { code, out, err } = await told(NOWHERE, words);
      expect(code).toBe(0);
      expect(out + err).toContain("Commands:\n  ");
    },
  );

  test("shows an aliased command once", async () => {
    const { out } = await told(NOWHERE, ["container", "--help"]);
    expect(out.match(/List containers/g)).toHaveLength(1);
  });
});
