import { expect, test } from "bun:test";
import { formatTime, readDecimal, readNumber, readTime } from "../../../src/archive/numbers.ts";

test.each([
  ["0000644\0", 0o644],
  ["   644 \0", 0o644],
  ["\0\0\0\0\0\0\0\0", 0],
  ["\x80\0\0\0\0\0\x01\0", 256],
  ["\xff\xff\xff\xff\xff\xff\xff\xfe", -2],
])("the header field %j is %d", (field, expected) => {
  expect(readNumber(Buffer.from(field, "latin1"), 0, 8)).toBe(expected);
});

test.each(["0000648\0", "hello\0\0\0", "\x80\xff\xff\xff\xff\xff\xff\xff", "-1\0\0\0\0\0\0"])(
  "the header field %j is refused",
  (field) => {
    expect(() => readNumber(Buffer.from(field, "latin1"), 0, 8)).toThrow("Cannot read the archive");
  },
);

test.each(["", "1.5", "0x10", "99999999999999999999", "--1"])("%j is no whole number", (text) => {
  expect(() => readDecimal(text)).toThrow("Cannot read the archive");
});

test.each([
  ["0", 0, 0],
  ["1500000000.5", 1_500_000_000, 500_000_000],
  ["1.000000001", 1, 1],
  ["1.1234567899", 1, 123_456_789],
  ["-1.5", -2, 500_000_000],
  ["-3", -3, 0],
])("%s is second %d and nanosecond %d, there and back", (text, seconds, nanoseconds) => {
  expect(readTime(text)).toEqual({ seconds, nanoseconds });
  expect(readTime(formatTime({ seconds, nanoseconds }))).toEqual({ seconds, nanoseconds });
});

test.each(["", ".5", "1e9", "Infinity", "1.5.5"])("%j is no time", (text) => {
  expect(() => readTime(text)).toThrow("is not a time");
});
