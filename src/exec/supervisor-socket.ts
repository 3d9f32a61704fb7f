import { closeSync, constants, openSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { Fault } from "#errors";
import type { AttachStreams, ExitRecord } from "./driver.ts";

/** Where a supervisor listens: a name in its state directory. */
export interface SupervisorAddress {
  readonly directory: string;
  readonly name: string;
}

/** The answer to a resize. */
const ERRNO_BYTES = 4;
/** sun_path of unix(7) holds 108 bytes with its NUL. */
const MAX_SOCKET_PATH = 107;

const HEADER = { attach: 0x41, resize: 0x52, wait: 0x57 } as const;

interface Header {
  readonly kind: keyof typeof HEADER;
  readonly flags?: number;
  readonly size?: { readonly rows: number; readonly columns: number };
}

/** Kind, flags, rows and columns (u16, little endian), two zeros; attach.c reads it. */
function headerBytes({ kind, flags = 0, size }: Header): Buffer {
  const header = Buffer.alloc(8);
  header[0] = HEADER[kind];
  header[1] = flags;
  header.writeUInt16LE(clampSize(size?.rows), 2);
  header.writeUInt16LE(clampSize(size?.columns), 4);
  return header;
}

const clampSize = (value = 0) => Math.min(Math.max(Math.trunc(value), 0), 0xffff);

/**
 * The container's streams, both ways. What the container says from here on arrives; what is to be written goes to
 * its standard input. Throws `conflict` when the supervisor has gone.
 */
export function openAttach(address: SupervisorAddress, streams: AttachStreams): Promise<Socket> {
  const flags = (streams.stdin ? 1 : 0) | (streams.stdout ? 2 : 0) | (streams.stderr ? 4 : 0);
  return dial(address, { kind: "attach", flags });
}

/** Throws `conflict` when there is no terminal or no process any more. */
export async function resize(
  address: SupervisorAddress,
  size: { readonly rows: number; readonly columns: number },
): Promise<void> {
  const answer = await readAll(await dial(address, { kind: "resize", size }));
  const errno = answer.length === ERRNO_BYTES ? answer.readInt32LE(0) : -1;
  if (errno !== 0)
    throw new Fault("conflict", "Cannot resize the terminal: the process has none, or has ended");
}

/**
 * How the supervised process ended; undefined when the supervisor vanished without telling. Never rejects. One
 * such connection stays open for every container that runs, so it is one without a stream's machinery around it.
 */
export async function waitForExit(
  address: SupervisorAddress,
): Promise<() => Promise<ExitRecord | undefined>> {
  const answer = Promise.withResolvers<string>();
  let said = "";
  using place = placeOf(address);
  const socket = await Bun.connect({
    unix: place.path,
    socket: {
      data: (_, bytes) => {
        said += bytes.toString("latin1");
      },
      end: (ending) => void ending.end(),
      close: () => answer.resolve(said),
      // A supervisor that is killed resets its connections: the end is what counts.
      error: () => {},
    },
  }).catch(unreachable);
  socket.write(headerBytes({ kind: "wait" }));
  socket.unref();
  return async () => parseExitRecord(await answer.promise);
}

/** `code signal oom nanoseconds`, as shim.c words it. */
export function parseExitRecord(text: string): ExitRecord | undefined {
  const [, code, signal, isOutOfMemory, time] = /^(\d+) (\d+) ([01]) (\d+)\n$/.exec(text) ?? [];
  if (code === undefined || time === undefined) return undefined;
  return {
    code: Number(code),
    ...(signal === "0" ? {} : { signal: Number(signal) }),
    outOfMemory: isOutOfMemory === "1",
    time: BigInt(time),
  };
}

/** Settles when the header is in the kernel, so that whatever is asked of the supervisor next comes after it. */
async function dial(address: SupervisorAddress, header: Header): Promise<Socket> {
  using place = placeOf(address);
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ path: place.path, allowHalfOpen: true });
  socket.once("error", reject);
  socket.once("connect", () => {
    socket.write(headerBytes(header), () => {
      socket.off("error", reject);
      // A supervisor that is killed resets its connections; their end is what readers look at.
      socket.on("error", () => socket.destroy());
      resolve(socket);
    });
  });
  return await promise.catch(unreachable);
}

function unreachable(cause: unknown): never {
  throw new Fault("conflict", "Cannot reach the container's supervisor: it has ended", { cause });
}

/** A path for connect(2), by way of a descriptor where the whole one is too long. */
function placeOf({ directory, name }: SupervisorAddress): Disposable & { readonly path: string } {
  const whole = `${directory}/${name}`;
  if (Buffer.byteLength(whole) <= MAX_SOCKET_PATH) return { path: whole, [Symbol.dispose]: () => {} };
  const held = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  return { path: `/proc/self/fd/${held}/${name}`, [Symbol.dispose]: () => closeSync(held) };
}

function readAll(socket: Socket): Promise<Buffer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    const finish = () => {
      socket.destroy();
      resolve(Buffer.concat(parts));
    };
    socket.once("end", finish);
    socket.once("close", finish);
  });
}
