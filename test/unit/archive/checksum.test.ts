import { expect, test } from "bun:test";
import fc from "fast-check";
import { checksumOf, isChecksumOf, SUM_AT, SUM_BYTES } from "../../../src/archive/checksum.ts";

/** As POSIX words it. */
function plainSum(block: Uint8Array): number {
  return block.reduce((sum, byte, at) => sum + (at >= SUM_AT && at < SUM_AT + SUM_BYTES ? 0x20 : byte), 0);
}

test("a header's sum counts its own place as blanks", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 512, maxLength: 512 }), (block) => {
      const sum = plainSum(block);
      expect(checksumOf(block)).toBe(sum % 65521);
      expect(isChecksumOf(sum, block)).toBeTrue();
      expect(isChecksumOf(sum + 1, block)).toBeFalse();
    }),
  );
  expect(isChecksumOf(plainSum(new Uint8Array(512).fill(255)), new Uint8Array(512).fill(255))).toBeTrue();
});
