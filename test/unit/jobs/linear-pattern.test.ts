import { describe, expect, test } from "bun:test";
import { LinearPattern } from "../../../src/jobs/container/log/pattern/index.ts";

const TEXTS = [
  "",
  "a",
  "ab",
  "aab",
  "b.c",
  "com.docker.x",
  "A",
  "x-1",
  "\n",
  "a\nb",
  "é",
  "aaaa",
  "ba",
  "_",
  "]",
  "^",
];
const PATTERNS = [
  ...[
    "",
    "a",
    "^a",
    "a$",
    "^$",
    "^a*$",
    "a+b",
    "a?b",
    "(ab|ba)",
    "^(a|aab)$",
    "a{2}",
    "a{2,}",
    "^a{1,3}$",
    "a*?b",
  ],
  ...[
    "^com\\.docker\\.",
    "^[a-c.]+$",
    "[^a-z]",
    "\\d",
    "\\w-\\d",
    "\\s",
    "\\bb",
    "\\Bb",
    "x|",
    "(?:a|b)c?$",
    ".",
  ],
  ...[
    "^.$",
    "[\\]^]",
    "[\\d-]",
    "\\x61",
    "\\p{L}",
    "\\P{L}",
    "(?<name>a)b",
    "(a*)*b",
    "(a|a)*$",
    "[.]c",
    "\\/|\\.",
  ],
];

describe("a pattern", () => {
  test.each(PATTERNS)("%p is found where JavaScript finds it", (pattern) => {
    const wanted = new RegExp(pattern, "u");
    const ours = new LinearPattern(pattern);
    for (const text of TEXTS) expect([text, ours.isIn(text)]).toEqual([text, wanted.test(text)]);
  });

  test.each([
    ["(?i)DOCKER", "com.docker.x", true],
    ["(?i:A)b", "AB", false],
    ["(?s)a.b", "a\nb", true],
    ["(?m)^b$", "a\nb", true],
    ["^[[:alpha:]_]+$", "ab_", true],
    ["[[:digit:]]", "ab", false],
    ["^[]a]+$", "]a", true],
    ["(?P<name>a)b", "ab", true],
    ["\\Aa\\z", "a", true],
    ["\\_", "_", true],
    ["\\pL", "é", true],
    ["^\\x{1F600}$", "😀", true],
  ])("%p in Go's own words: %p is %p", (pattern, text, isFound) => {
    expect(new LinearPattern(pattern).isIn(text)).toBe(isFound);
  });

  test.each([
    "(",
    ")",
    "a**",
    "*",
    "[a",
    "a{3,2}",
    "a{1001}",
    "(?=a)",
    "\\1",
    "\\Q",
    "(a{1000}){1000}",
    "[z-a]",
    "\\",
  ])("%p is refused", (pattern) => expect(() => new LinearPattern(pattern)).toThrow(/error parsing regexp/));

  test.each(["(a+)+$", "^(a|a)*$", "(.*)*=$", "([a-z]+)*\\.$"])(
    "%p is soon found not to be there",
    (pattern) => {
      expect(new LinearPattern(pattern).isIn(`${"a".repeat(5000)}!`)).toBe(false);
    },
  );
});
