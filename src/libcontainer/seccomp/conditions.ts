import { Fault } from "#errors";
import { BPF, type Label, type ReverseAssembler } from "./bpf.ts";

/** One comparison of an argument with a 64-bit value. */
export interface Condition {
  readonly index: number;
  readonly op: string;
  /** For SCMP_CMP_MASKED_EQ the mask, and `valueTwo` what is left under it. */
  readonly value: bigint;
  readonly valueTwo: bigint;
  /** Only the low half of the register counts. */
  readonly isInt: boolean;
}

interface Targets {
  readonly yes: Label;
  readonly no: Label;
}

/** Offset of `args` in struct seccomp_data; eight bytes each, the low half first. */
const ARGUMENTS = 16;

const low = (value: bigint) => Number(value & 0xffff_ffffn);
const high = (value: bigint) => Number((value >> 32n) & 0xffff_ffffn);

/** Writes a comparison that goes on to `yes` or `no`, and returns where it begins. Throws `invalid` for an unknown operator. */
export function writeCondition(assembler: ReverseAssembler, condition: Condition, targets: Targets): Label {
  const swapped = { yes: targets.no, no: targets.yes };
  switch (condition.op) {
    case "SCMP_CMP_EQ":
      return writeEqual(assembler, condition, targets);
    case "SCMP_CMP_NE":
      return writeEqual(assembler, condition, swapped);
    case "SCMP_CMP_GT":
      return writeGreater(assembler, condition, { ...targets, code: BPF.JUMP_GREATER });
    case "SCMP_CMP_LE":
      return writeGreater(assembler, condition, { ...swapped, code: BPF.JUMP_GREATER });
    case "SCMP_CMP_GE":
      return writeGreater(assembler, condition, { ...targets, code: BPF.JUMP_GREATER_OR_EQUAL });
    case "SCMP_CMP_LT":
      return writeGreater(assembler, condition, { ...swapped, code: BPF.JUMP_GREATER_OR_EQUAL });
    case "SCMP_CMP_MASKED_EQ":
      return writeMasked(assembler, condition, targets);
    default:
      throw new Fault(
        "invalid",
        `Cannot use the seccomp operator "${condition.op}": it is none of SCMP_CMP_EQ, NE, LT, LE, GT, GE, MASKED_EQ`,
      );
  }
}

function writeEqual(
  assembler: ReverseAssembler,
  { index, value, isInt }: Condition,
  targets: Targets,
): Label {
  const lowTest = assembler.branch(BPF.JUMP_EQUAL, low(value), targets);
  const lowHalf = assembler.before(BPF.LOAD, lowOffset(index), lowTest);
  if (isInt) return lowHalf;
  const highTest = assembler.branch(BPF.JUMP_EQUAL, high(value), { yes: lowHalf, no: targets.no });
  return assembler.before(BPF.LOAD, highOffset(index), highTest);
}

/** Greater in the high half decides; equal there leaves it to the low half. */
function writeGreater(
  assembler: ReverseAssembler,
  { index, value, isInt }: Condition,
  targets: Targets & { readonly code: number },
): Label {
  const lowTest = assembler.branch(targets.code, low(value), targets);
  const lowHalf = assembler.before(BPF.LOAD, lowOffset(index), lowTest);
  if (isInt) return lowHalf;
  const equalTest = assembler.branch(BPF.JUMP_EQUAL, high(value), { yes: lowHalf, no: targets.no });
  const highTest = assembler.branch(BPF.JUMP_GREATER, high(value), { yes: targets.yes, no: equalTest });
  return assembler.before(BPF.LOAD, highOffset(index), highTest);
}

function writeMasked(assembler: ReverseAssembler, condition: Condition, targets: Targets): Label {
  const { index, value, valueTwo, isInt } = condition;
  const lowTest = assembler.branch(BPF.JUMP_EQUAL, low(valueTwo), targets);
  const lowMask = assembler.before(BPF.AND, low(value), lowTest);
  const lowHalf = assembler.before(BPF.LOAD, lowOffset(index), lowMask);
  if (isInt || (high(value) === 0 && high(valueTwo) === 0)) return lowHalf;
  const highTest = assembler.branch(BPF.JUMP_EQUAL, high(valueTwo), { yes: lowHalf, no: targets.no });
  const highMask = assembler.before(BPF.AND, high(value), highTest);
  return assembler.before(BPF.LOAD, highOffset(index), highMask);
}

const lowOffset = (index: number) => ARGUMENTS + index * 8;
const highOffset = (index: number) => ARGUMENTS + index * 8 + 4;
