/** One call as a filter sees it: struct seccomp_data. */
export interface Call {
  readonly audit: number;
  readonly number: number;
  readonly args: readonly bigint[];
}

export const AUDIT = { x64: 0xc000_003e, i386: 0x4000_0003, arm64: 0xc000_00b7, arm: 0x4000_0028 } as const;
export const ALLOW = 0x7fff_0000;
export const KILL_PROCESS = 0x8000_0000;
export const errno = (number: number) => 0x0005_0000 | number;

function seccompData({ audit, number, args }: Call): DataView {
  const view = new DataView(new ArrayBuffer(64));
  view.setInt32(0, number | 0, true);
  view.setUint32(4, audit, true);
  for (const [index, arg] of args.entries()) view.setBigUint64(16 + index * 8, BigInt.asUintN(64, arg), true);
  return view;
}

/** Runs a program of struct sock_filter as the kernel would, and refuses what the kernel's checker refuses. */
export function runFilter(program: Uint8Array, call: Call): number {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const data = seccompData(call);
  const length = program.length / 8;
  let accumulator = 0;
  for (let at = 0; at < length; at += 1) {
    const opcode = code.getUint16(at * 8, true);
    const value = code.getUint32(at * 8 + 4, true);
    const jump = (holds: boolean) => {
      at += code.getUint8(at * 8 + (holds ? 2 : 3));
    };
    if (opcode === 0x06) return value;
    if (opcode === 0x20) {
      if (value % 4 !== 0 || value > 60) throw new Error(`load at ${value}`);
      accumulator = data.getUint32(value, true);
    } else if (opcode === 0x54) accumulator = (accumulator & value) >>> 0;
    else if (opcode === 0x05) at += value;
    else if (opcode === 0x15) jump(accumulator === value);
    else if (opcode === 0x25) jump(accumulator > value);
    else if (opcode === 0x35) jump(accumulator >= value);
    else throw new Error(`opcode ${opcode}`);
  }
  throw new Error("the program has no end");
}
