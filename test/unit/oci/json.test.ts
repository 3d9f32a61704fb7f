import { expect, test } from "bun:test";
import { parseJson } from "#oci";

const parse = (text: string) => parseJson(Buffer.from(text), "the document");

test.each([
  ['{"a":[1,{"b":"x"}]}', { a: [1, { b: "x" }] }],
  [`{"a":"${"[".repeat(200)}"}`, { a: "[".repeat(200) }],
  [`{"a\\"${"[".repeat(200)}":"\\\\"}`, { [`a"${"[".repeat(200)}`]: "\\" }],
  [`{"ä":"${"{".repeat(200)}ü"}`, { ä: `${"{".repeat(200)}ü` }],
  [`${"[".repeat(100)}${"]".repeat(100)}`, JSON.parse(`${"[".repeat(100)}${"]".repeat(100)}`)],
])("%s is read", (text, expected) => {
  expect(parse(text)).toEqual(expected);
});

test.each([
  ["nested too deep", "[".repeat(101) + "]".repeat(101)],
  ["nested far too deep, behind a text", `{"\\"]":${"[".repeat(1_000_000)}`],
  ["not ended", '{"a":'],
  ["no document", ""],
])("what is %s is refused", (_name, text) => {
  expect(() => parse(text)).toThrow("Cannot read the document: it is no proper JSON document");
});

test("what is not UTF-8 is refused", () => {
  expect(() => parseJson(Buffer.from([0x22, 0xff, 0x22]), "the document")).toThrow("no proper JSON");
});

test("four million bytes are looked at once, whatever texts they begin and never end", () => {
  for (const text of [`"${'\\"'.repeat(2_000_000)}`, '"'.repeat(4_000_001), "\\".repeat(4_000_000)])
    expect(() => parse(text)).toThrow("no proper JSON document");
});
