import { closeSync, constants, openSync } from "node:fs";
import { Fault } from "#errors";
import { control, errnoName, failedWith, must } from "./syscalls.ts";

const { O_RDONLY, O_RDWR } = constants;
/** Source: loop(4), include/uapi/linux/loop.h. */
const LOOP_CONFIGURE = 0x4c0a;
const LOOP_CTL_GET_FREE = 0x4c82;
const LO_FLAGS_READ_ONLY = 1;
const LO_FLAGS_AUTOCLEAR = 4;
/** struct loop_config: `fd` at 0, `info.lo_flags` at 8 + 52. */
const CONFIG_BYTES = 304;
const FLAGS_OFFSET = 60;
/** How often another may take the free one first. */
const ATTEMPTS = 16;

/** A file as a block device, for as long as it is open or mounted. */
export interface LoopDevice extends Disposable {
  readonly path: string;
}

/** Throws `unsupported` where the kernel has no loop devices. */
export function attachLoop(file: string, { isReadonly }: { readonly isReadonly: boolean }): LoopDevice {
  using backing = opened(file, isReadonly);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const path = `/dev/loop${freeNumber(file)}`;
    using undo = new DisposableStack();
    const device = undo.use(opened(path, isReadonly));
    const config = Buffer.alloc(CONFIG_BYTES);
    config.writeUInt32LE(backing.descriptor, 0);
    config.writeUInt32LE(LO_FLAGS_AUTOCLEAR | (isReadonly ? LO_FLAGS_READ_ONLY : 0), FLAGS_OFFSET);
    const result = control(device.descriptor, LOOP_CONFIGURE, config);
    if (failedWith(result, "EBUSY")) continue;
    must(result, () => `use ${file} as a block device (${path})`);
    const owned = undo.move();
    return { path, [Symbol.dispose]: () => owned.dispose() };
  }
  throw new Fault("unavailable", `Cannot use ${file} as a block device: others took each free loop device`);
}

function freeNumber(file: string): number {
  using controller = opened("/dev/loop-control", false);
  const number = control(controller.descriptor, LOOP_CTL_GET_FREE, 0);
  if (number >= 0) return number;
  throw new Fault(
    "unsupported",
    `Cannot use ${file} as a block device: no loop device: ${errnoName(number)}`,
  );
}

function opened(path: string, isReadonly: boolean): Disposable & { readonly descriptor: number } {
  try {
    const descriptor = openSync(path, isReadonly ? O_RDONLY : O_RDWR);
    return { descriptor, [Symbol.dispose]: () => closeSync(descriptor) };
  } catch (cause) {
    throw new Fault("unsupported", `Cannot open ${path}: ${(cause as Error).message}`, { cause });
  }
}
