import { EXEC_FIELD, RUN_FIELD } from "#api";
import { type Busy, Demultiplexer, type Sink } from "./frames.ts";
import type { Reply, Transport, Upgraded } from "./transport.ts";

const TELLS_EXIT = [EXEC_FIELD, RUN_FIELD].map((name) => name.toLowerCase());

/** A handed-over connection: input one way, output (in frames, or raw from a terminal) the other way. */
export class Duplex implements Disposable {
  readonly #upgraded: Upgraded;
  readonly #isMultiplexed: boolean;
  #exitCode: number | undefined;
  #failure: string | undefined;

  constructor(upgraded: Upgraded, isTerminal: boolean) {
    this.#upgraded = upgraded;
    this.#isMultiplexed = upgraded.isMultiplexed ?? !isTerminal;
  }

  /** Passes all output on; returns when the daemon has ended the stream, or told the exit code, which comes last. */
  async output(sink: Sink, busy?: Busy): Promise<void> {
    const { wire, fields } = this.#upgraded;
    const tellsExit = TELLS_EXIT.some((name) => fields.has(name));
    const frames = this.#isMultiplexed ? new Demultiplexer(sink, { tellsExit }) : undefined;
    for (let bytes = await wire.read(); bytes !== undefined; bytes = await wire.read()) {
      if (frames === undefined) sink("stdout", bytes);
      else frames.push(bytes);
      const waiting = busy?.();
      if (waiting !== undefined) await waiting;
      this.#exitCode = frames?.exitCode;
      if (this.#exitCode !== undefined) return;
    }
    this.#failure = frames?.failure;
  }

  /** Once the output has ended: what the command ended with, where the daemon says so in the stream. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Once the output has ended: why the container could not be started, where the daemon says that in the stream. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Sends all input and then the end of input, while output goes on. Ends quietly when the daemon stops listening. */
  async input(source: AsyncIterable<Uint8Array>): Promise<void> {
    const { wire } = this.#upgraded;
    try {
      for await (const bytes of source) await wire.write(bytes);
    } catch {
      // Whoever ended the stream tells the outcome on the output side.
    }
    wire.endWriting();
  }

  /** Says that there is no input. */
  endInput(): void {
    this.#upgraded.wire.endWriting();
  }

  [Symbol.dispose](): void {
    this.#upgraded.wire.close();
  }
}

/** Passes the body of a logs reply on, whichever of the two forms it has. */
export async function passOutput(
  { body, isMultiplexed }: Pick<Reply, "body" | "isMultiplexed">,
  sink: Sink,
  busy?: Busy,
): Promise<void> {
  const frames = isMultiplexed ? new Demultiplexer(sink) : undefined;
  for await (const bytes of body) {
    if (frames === undefined) sink("stdout", bytes);
    else frames.push(bytes);
    const waiting = busy?.();
    if (waiting !== undefined) await waiting;
  }
}

/** Carries bytes both ways between a caller and the daemon, each half ended by itself, until the daemon has ended. */
export async function relayStream(
  transport: Transport,
  input: AsyncIterable<Uint8Array>,
  output: (bytes: Uint8Array) => void,
): Promise<void> {
  using duplex = new Duplex({ wire: await transport.dial(), isMultiplexed: false, fields: new Map() }, true);
  void duplex.input(input);
  await duplex.output((_, bytes) => output(bytes));
}
