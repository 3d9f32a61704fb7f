import type { Socket } from "node:net";
import { Duplex, PassThrough } from "node:stream";
import { Fault } from "#errors";
import type {
  AttachStreams,
  ExecDriver,
  ExecRequest,
  ExitRecord,
  Found,
  LaunchRequest,
  Prepared,
  PreparedExec,
  RunningContainer,
  Statistics,
} from "#exec";
import { processStartTicks } from "#host";

/** A process that ends when the test says so. */
export class FakeProcess implements RunningContainer {
  readonly id: string;
  readonly pid: number;
  readonly startTicks = processStartTicks(process.pid) ?? "";
  readonly exited: Promise<ExitRecord>;
  readonly signals: number[] = [];
  readonly attached: AttachStreams[] = [];
  readonly sizes: { readonly rows: number; readonly columns: number }[] = [];
  readonly execs: FakeExec[] = [];
  /** Signals that end it; the others it ignores. */
  deadly: readonly number[] = [9, 15];
  /** What running a command in it throws. */
  execFailure: unknown;
  readonly #settle: (exit: ExitRecord) => void;
  #isPaused = false;
  #hasEnded = false;

  /** The test's own process, which is one of the kernel's and lives, unless a test says otherwise. */
  constructor(id: string, pid = process.pid) {
    this.id = id;
    this.pid = pid;
    const { promise, resolve } = Promise.withResolvers<ExitRecord>();
    this.exited = promise;
    this.#settle = resolve;
  }

  end(exit: Partial<ExitRecord> = {}): void {
    this.#hasEnded = true;
    this.#settle({ code: 0, outOfMemory: false, time: BigInt(Date.now()) * 1_000_000n, ...exit });
  }

  async signal(number: number): Promise<void> {
    if (this.#hasEnded) throw new Fault("conflict", "The process has ended");
    this.signals.push(number);
    if (this.deadly.includes(number) && !this.#isPaused) this.end({ code: 128 + number });
  }

  signalAll(number: number): Promise<void> {
    return this.signal(number);
  }

  async pause(): Promise<void> {
    this.#isPaused = true;
  }

  async resume(): Promise<void> {
    this.#isPaused = false;
    const last = this.signals.at(-1);
    if (last !== undefined && this.deadly.includes(last)) this.end({ code: 128 + last });
  }

  async isPaused(): Promise<boolean> {
    return this.#isPaused;
  }

  async resize(size: { readonly rows: number; readonly columns: number }): Promise<void> {
    this.sizes.push(size);
  }

  async attach(streams: AttachStreams): Promise<Socket> {
    this.attached.push(streams);
    return fakeSocket();
  }

  async exec(request: ExecRequest): Promise<PreparedExec> {
    if (this.execFailure !== undefined) throw this.execFailure;
    const exec = new FakeExec(request);
    this.execs.push(exec);
    return exec;
  }

  statistics(): Promise<Statistics> {
    return Promise.reject(new Fault("unsupported", "The fake measures nothing"));
  }

  async processes(): Promise<readonly number[]> {
    return [this.pid];
  }

  async update(): Promise<void> {}
}

export class FakeExec implements PreparedExec {
  readonly pid = 77;
  readonly request: ExecRequest;
  readonly signals: number[] = [];
  /** What is written into it its clients read. */
  readonly output = new PassThrough();
  startFailure: unknown;
  isDisposed = false;
  readonly #exit = Promise.withResolvers<ExitRecord>();

  constructor(request: ExecRequest) {
    this.request = request;
  }

  async attach(): Promise<Socket> {
    return this.output as unknown as Socket;
  }

  async start() {
    if (this.startFailure !== undefined) throw this.startFailure;
    const signal = async (number: number) => {
      this.signals.push(number);
      this.end(128 + number);
    };
    return { pid: this.pid, exited: this.#exit.promise, resize: async () => {}, signal };
  }

  end(code: number): void {
    this.#exit.resolve({ code, outOfMemory: false, time: 0n });
    this.output.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isDisposed = true;
  }
}

/** Launches nothing and remembers what it was asked. */
export class FakeExecDriver implements ExecDriver {
  readonly name = "fake";
  readonly requests: LaunchRequest[] = [];
  readonly processes: FakeProcess[] = [];
  readonly forgotten: string[] = [];
  /** Disposed before they were started. */
  readonly undone: string[] = [];
  readonly found = new Map<string, Found>();
  /** What the next calls throw. */
  prepareFailure: unknown;
  startFailure: unknown;

  async prepare(request: LaunchRequest): Promise<Prepared> {
    if (this.prepareFailure !== undefined) throw this.prepareFailure;
    this.requests.push(request);
    const made = new FakeProcess(request.id);
    let isStarted = false;
    return {
      pid: made.pid,
      attach: (streams) => made.attach(streams),
      start: async () => {
        if (this.startFailure !== undefined) throw this.startFailure;
        isStarted = true;
        this.processes.push(made);
        return made;
      },
      [Symbol.asyncDispose]: async () => {
        if (!isStarted) this.undone.push(request.id);
      },
    };
  }

  /** The process launched last. */
  get last(): FakeProcess {
    const process = this.processes.at(-1);
    if (process === undefined) throw new Error("Nothing has been launched");
    return process;
  }

  async find(id: string): Promise<Found> {
    return this.found.get(id) ?? { state: "lost" };
  }

  async forget(id: string): Promise<void> {
    this.forgotten.push(id);
  }

  async sweep(): Promise<readonly string[]> {
    return [];
  }
}

function fakeSocket(): Socket {
  return new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }) as unknown as Socket;
}
