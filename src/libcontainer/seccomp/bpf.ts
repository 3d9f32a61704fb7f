/** Opcodes of classic BPF that seccomp takes. Source: Linux, include/uapi/linux/bpf_common.h. */
export const BPF = {
  LOAD: 0x20,
  AND: 0x54,
  JUMP: 0x05,
  JUMP_EQUAL: 0x15,
  JUMP_GREATER: 0x25,
  JUMP_GREATER_OR_EQUAL: 0x35,
  RETURN: 0x06,
} as const;

/** The kernel's limit, BPF_MAXINSNS. */
export const MAX_INSTRUCTIONS = 4096;

interface Instruction {
  readonly code: number;
  readonly whenTrue: number;
  readonly whenFalse: number;
  readonly value: number;
}

/** A place in the program, counted from its end. */
export type Label = number;

/** A conditional jump reaches 255 instructions. One place is kept for each of the two long jumps that may be needed first. */
const REACH = 253;

/**
 * Writes a program from its end to its beginning. All jumps of classic BPF lead forward, so that every target is
 * known by the time a jump to it is written, and one too far for a byte gets a long jump placed right behind it.
 */
export class ReverseAssembler {
  readonly #instructions: Instruction[] = [];
  readonly #returns = new Map<number, Label>();

  /** Ends the filter with an action. One nearby that does the same is used again. */
  return(action: number): Label {
    const known = this.#returns.get(action);
    if (known !== undefined && this.#instructions.length - known <= REACH) return known;
    const label = this.#write({ code: BPF.RETURN, whenTrue: 0, whenFalse: 0, value: action });
    this.#returns.set(action, label);
    return label;
  }

  /** An instruction that stands before `next`, where control goes on. */
  before(code: typeof BPF.LOAD | typeof BPF.AND, value: number, next: Label): Label {
    if (next !== this.#instructions.length - 1) this.#jump(next);
    return this.#write({ code, whenTrue: 0, whenFalse: 0, value });
  }

  branch(code: number, value: number, targets: { readonly yes: Label; readonly no: Label }): Label {
    if (targets.yes === targets.no) return targets.yes;
    const no = this.#near(targets.no);
    const yes = this.#near(targets.yes);
    const here = this.#instructions.length;
    return this.#write({ code, whenTrue: here - yes - 1, whenFalse: here - no - 1, value });
  }

  /** An array of struct sock_filter, in the byte order of all machines that bunker runs on. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#instructions.length * 8);
    const view = new DataView(bytes.buffer);
    for (const [index, { code, whenTrue, whenFalse, value }] of this.#instructions.toReversed().entries()) {
      view.setUint16(index * 8, code, true);
      view.setUint8(index * 8 + 2, whenTrue);
      view.setUint8(index * 8 + 3, whenFalse);
      view.setUint32(index * 8 + 4, value >>> 0, true);
    }
    return bytes;
  }

  #near(label: Label): Label {
    return this.#instructions.length - label - 1 <= REACH ? label : this.#jump(label);
  }

  #jump(label: Label): Label {
    const distance = this.#instructions.length - label - 1;
    return this.#write({ code: BPF.JUMP, whenTrue: 0, whenFalse: 0, value: distance });
  }

  #write(instruction: Instruction): Label {
    this.#instructions.push(instruction);
    return this.#instructions.length - 1;
  }
}
