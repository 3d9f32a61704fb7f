import { describe, expect, test } from "bun:test";
import { parseFlags, UsageProblem } from "../../../src/cli/flags.ts";

const TABLE = {
  interactive: { kind: "bool", short: "i", about: "" },
  tty: { kind: "bool", short: "t", about: "" },
  detach: { kind: "bool", short: "d", about: "" },
  publish: { kind: "list", short: "p", about: "" },
  env: { kind: "list", short: "e", about: "" },
  name: { kind: "text", about: "" },
  time: { kind: "int", short: "T", about: "" },
  weight: { kind: "int", hint: "uint16", about: "" },
  "sig-proxy": { kind: "bool", preset: "true", about: "" },
  net: { kind: "list", aliasOf: "network" },
  network: { kind: "list", about: "" },
  even: {
    kind: "text",
    short: "E",
    about: "",
    check: (text: string) => (text.length % 2 ? "is odd" : undefined),
  },
} as const;

function read(words: readonly string[], stopsAtWord = false) {
  const { flags, words: rest } = parseFlags(TABLE, words, { stopsAtWord });
  const given = Object.keys(TABLE).filter((name) => flags.has(name as keyof typeof TABLE));
  return {
    rest,
    flags: Object.fromEntries(given.map((name) => [name, flags.list(name as keyof typeof TABLE)])),
  };
}

describe("flags", () => {
  test.each<[string[], Record<string, string[]>, string[]]>([
    [["-it", "img"], { interactive: ["true"], tty: ["true"] }, ["img"]],
    [["-p8020:80"], { publish: ["8020:80"] }, []],
    [["-p=8020:80"], { publish: ["8020:80"] }, []],
    [["-p", "80", "-p", "81", "--publish=82"], { publish: ["80", "81", "82"] }, []],
    [["-itp", "80"], { interactive: ["true"], tty: ["true"], publish: ["80"] }, []],
    [["-dp80"], { detach: ["true"], publish: ["80"] }, []],
    [["--env=A=b", "-eC=d"], { env: ["A=b", "C=d"] }, []],
    [["--name", "a", "--name=b"], { name: ["b"] }, []],
    [["--name="], { name: [""] }, []],
    [["--name", "-x"], { name: ["-x"] }, []],
    [["-d=false"], { detach: ["false"] }, []],
    [["--detach=0", "img"], { detach: ["false"] }, ["img"]],
    [["--detach", "false"], { detach: ["true"] }, ["false"]],
    [["-d", "--", "-it"], { detach: ["true"] }, ["-it"]],
    [["a", "-d", "b"], { detach: ["true"] }, ["a", "b"]],
    [["-"], {}, ["-"]],
    [["--net", "a", "--network", "b"], { network: ["a", "b"] }, []],
    [["-T", "-1"], { time: ["-1"] }, []],
  ])("%p", (words, flags, rest) => {
    expect(read(words)).toEqual({ flags, rest });
  });

  test.each<[string[], Record<string, string[]>, string[]]>([
    [["-d", "img", "ls", "-la", "--name", "x"], { detach: ["true"] }, ["img", "ls", "-la", "--name", "x"]],
    [["img", "--", "-x"], {}, ["img", "--", "-x"]],
    [["--", "img", "-x"], {}, ["img", "-x"]],
  ])("that stop at the first word: %p", (words, flags, rest) => {
    expect(read(words, true)).toEqual({ flags, rest });
  });

  test.each([
    [["--foo"], "unknown flag: --foo"],
    [["--foo=bar"], "unknown flag: --foo"],
    [["--nam", "x"], "unknown flag: --nam\nDid you mean --name?"],
    [["-x"], "unknown shorthand flag: 'x' in -x"],
    [["-itx"], "unknown shorthand flag: 'x' in -x"],
    [["-p"], "flag needs an argument: 'p' in -p"],
    [["-itp"], "flag needs an argument: 'p' in -p"],
    [["--name"], "flag needs an argument: --name"],
    [["--=x"], "bad flag syntax: --=x"],
    [["---x"], "bad flag syntax: ---x"],
    [
      ["-d=maybe"],
      'invalid argument "maybe" for "-d, --detach" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    [
      ["-T", "x"],
      'invalid argument "x" for "-T, --time" flag: strconv.ParseInt: parsing "x": invalid syntax',
    ],
    [
      ["--weight", "x"],
      'invalid argument "x" for "--weight" flag: strconv.ParseUint: parsing "x": invalid syntax',
    ],
    [["-E", "odd"], 'invalid argument "odd" for "-E, --even" flag: is odd'],
  ])("%p are refused", (words, message) => {
    expect(() => parseFlags(TABLE, words)).toThrow(new UsageProblem(message));
  });

  test("that were not given have their preset, else nothing", () => {
    const { flags } = parseFlags(TABLE, []);
    expect([
      flags.bool("sig-proxy"),
      flags.bool("tty"),
      flags.text("name"),
      flags.int("time"),
      flags.list("env"),
    ]).toEqual([true, false, "", undefined, []]);
  });

  test.each([[["--help"]], [["-h"]], [["a", "--help", "--foo"]]])("%p ask for help", (words) => {
    expect(parseFlags(TABLE, words).wantsHelp).toBe(true);
  });

  test("behind the first word are no plea for help there", () => {
    expect(parseFlags(TABLE, ["img", "--help"], { stopsAtWord: true }).wantsHelp).toBe(false);
  });
});
