import { Fault } from "#errors";
import type {
  ExecDriver,
  ExecDriverKind,
  ExecDriverOptions,
  Found,
  LaunchRequest,
  Prepared,
} from "./driver.ts";
import { ociKind, type RuntimeCommand, usedRuntimes } from "./oci/index.ts";

type Commands = Readonly<Record<string, RuntimeCommand>>;

/**
 * The engine's own way of running containers, and beside it the OCI runtimes that `commands` names, which may change
 * while containers run: whoever made one is asked about it for as long as it lives.
 */
export async function openRuntimes(
  own: ExecDriverKind,
  options: ExecDriverOptions,
  commands: () => Commands,
): Promise<ExecDriver> {
  return new Runtimes(await own.open(options), options, commands);
}

class Runtimes implements ExecDriver {
  readonly name: string;
  readonly #own: ExecDriver;
  readonly #options: ExecDriverOptions;
  readonly #commands: () => Commands;
  readonly #opened = new Map<string, { readonly command: string; readonly driver: Promise<ExecDriver> }>();

  constructor(own: ExecDriver, options: ExecDriverOptions, commands: () => Commands) {
    this.name = own.name;
    this.#own = own;
    this.#options = options;
    this.#commands = commands;
  }

  async prepare(request: LaunchRequest): Promise<Prepared> {
    const { runtime = "" } = request;
    if (runtime === "" || runtime === this.name) return this.#own.prepare(request);
    const command = this.#commands()[runtime];
    if (command === undefined)
      throw new Fault("invalid", `unknown or invalid runtime name: ${runtime.slice(0, 100)}`);
    return (await this.#open(runtime, command)).prepare(request);
  }

  async find(id: string): Promise<Found> {
    for (const driver of await this.#others()) {
      const found = await driver.find(id);
      if (found.state !== "lost") return found;
    }
    return this.#own.find(id);
  }

  async forget(id: string): Promise<void> {
    for (const driver of [this.#own, ...(await this.#others())]) await driver.forget(id);
  }

  async sweep(known: ReadonlySet<string>): Promise<readonly string[]> {
    const swept: string[] = [];
    for (const driver of [this.#own, ...(await this.#others())]) swept.push(...(await driver.sweep(known)));
    return swept;
  }

  /** Those that may have containers: one that has never been used has none. */
  async #others(): Promise<readonly ExecDriver[]> {
    const used = Object.entries(usedRuntimes(this.#options));
    return Promise.all(used.map(([name, command]) => this.#open(name, this.#commands()[name] ?? command)));
  }

  #open(name: string, command: RuntimeCommand): Promise<ExecDriver> {
    const text = JSON.stringify(command);
    const opened = this.#opened.get(name);
    if (opened?.command === text) return opened.driver;
    const driver = ociKind(name, command).open(this.#options);
    this.#opened.set(name, { command: text, driver });
    return driver;
  }
}
