import { AARCH64 } from "./syscalls-aarch64.ts";
import { ARM } from "./syscalls-arm.ts";
import { I386 } from "./syscalls-i386.ts";
import { X32 } from "./syscalls-x32.ts";
import { X86_64 } from "./syscalls-x86-64.ts";

/** One calling convention of a kernel, as a filter tells it apart. */
export interface Convention {
  /** As Docker's profiles name it. */
  readonly name: string;
  /** `arch` of struct seccomp_data. Source: Linux, include/uapi/linux/audit.h. */
  readonly audit: number;
  /** Set in every number of this convention, which shares `audit` with another one. */
  readonly numberBit: number;
  readonly table: string;
}

const AUDIT_X86_64 = 0xc000_003e;

/** Native conventions, each followed by the 32-bit ones that the same kernel may serve. */
const FAMILIES: Readonly<Record<string, readonly Convention[]>> = {
  x64: [
    { name: "SCMP_ARCH_X86_64", audit: AUDIT_X86_64, numberBit: 0, table: X86_64 },
    { name: "SCMP_ARCH_X86", audit: 0x4000_0003, numberBit: 0, table: I386 },
    { name: "SCMP_ARCH_X32", audit: AUDIT_X86_64, numberBit: 0x4000_0000, table: X32 },
  ],
  arm64: [
    { name: "SCMP_ARCH_AARCH64", audit: 0xc000_00b7, numberBit: 0, table: AARCH64 },
    { name: "SCMP_ARCH_ARM", audit: 0x4000_0028, numberBit: 0, table: ARM },
  ],
};

/** Of an architecture in node's words (`x64`, `arm64`); empty for one without tables. */
export function conventionsOf(architecture: string): readonly Convention[] {
  return FAMILIES[architecture] ?? [];
}

const parsed = new Map<string, ReadonlyMap<string, number>>();

/** Name → number, without `numberBit`. Read at first use: most starts find their program compiled. */
export function syscallNumbers(convention: Convention): ReadonlyMap<string, number> {
  const known = parsed.get(convention.name) ?? parseTable(convention.table);
  parsed.set(convention.name, known);
  return known;
}

function parseTable(table: string): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  let next = 0;
  for (const word of table.trim().split(/\s+/)) {
    if (/^[0-9]+$/.test(word)) {
      next = Number(word);
      continue;
    }
    for (const name of word.split("=")) numbers.set(name, next);
    next += 1;
  }
  return numbers;
}
