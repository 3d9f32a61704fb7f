import { z } from "zod";
import { Fault } from "#errors";
import { type PluginAddress, showAddress } from "./discovery.ts";
import { post, type Reply } from "./transport.ts";

/** The kinds of plugins that there is a use for. Source: Docker, "Plugin API", `Implements`. */
export type Capability = "VolumeDriver" | "NetworkDriver" | "IpamDriver" | "authz";

/** In milliseconds. */
export interface PluginLimits {
  /** For what changes nothing. */
  readonly question: number;
  /** For what is undone while something ends. */
  readonly ending: number;
  /** For what makes, mounts and removes. */
  readonly deed: number;
  /** How long a deed is tried again while nobody is reached. */
  readonly retry: number;
}

export const PLUGIN_LIMITS: PluginLimits = { question: 10_000, ending: 30_000, deed: 120_000, retry: 15_000 };

/** Before what was in vain is tried again; it doubles. */
export const FIRST_PAUSE_MILLISECONDS = 100;
const MAX_REASON_CHARACTERS = 1000;
const NOT_FOUND = 404;

const Activated = z.object({ Implements: z.array(z.string().max(100)).max(100) });
const Failure = z.object({ Err: z.string() });

/** What was asked was answered with a reason why not. */
export class PluginRefusal extends Fault {
  /** Whether the plugin does not know the call at all. */
  readonly isUnknownCall: boolean;

  constructor(message: string, { isUnknownCall }: { readonly isUnknownCall: boolean }) {
    super("internal", message);
    this.isUnknownCall = isUnknownCall;
  }
}

/** How much time it is given, a removal as much as a deed; a deed alone is tried again while nobody is reached. */
export type CallKind = "question" | "deed" | "removal" | "ending";

/** One plugin: a server of JSON over HTTP, on this host or another. What it says is not trusted. */
export class Plugin {
  readonly name: string;
  readonly #address: PluginAddress;
  readonly #limits: PluginLimits;
  #implements: Promise<readonly string[]> | undefined;

  constructor(name: string, address: PluginAddress, limits: PluginLimits) {
    this.name = name;
    this.#address = address;
    this.#limits = limits;
  }

  isAt(address: PluginAddress): boolean {
    return JSON.stringify(address) === JSON.stringify(this.#address);
  }

  /** Shakes hands the first time; one that failed is tried again at the next call. */
  async implements(capability: Capability): Promise<boolean> {
    this.#implements ??= this.#activate();
    try {
      return (await this.#implements).includes(capability);
    } catch (thrown) {
      this.#implements = undefined;
      throw thrown;
    }
  }

  async #activate(): Promise<readonly string[]> {
    return (await this.call("Plugin.Activate", {}, Activated, "question")).Implements;
  }

  /**
   * Asks `method` (`VolumeDriver.Mount`). Throws PluginRefusal for an answer that says why not, `unavailable` when
   * there is none, `internal` when it is not what the protocol has. Every message names the plugin and the call.
   */
  async call<T extends z.ZodType>(
    method: string,
    body: object,
    schema: T,
    kind: CallKind = "deed",
  ): Promise<z.infer<T>> {
    const limitMilliseconds = this.#limits[kind === "removal" ? "deed" : kind];
    const request = { path: `/${method}`, body, limitMilliseconds };
    const retry = kind === "deed" ? this.#limits.retry : 0;
    const reply = await untilReached(() => post(this.#address, request), retry);
    if (reply.kind === "answered") return this.#read(method, reply, schema);
    throw new Fault(
      "unavailable",
      `${method}: the plugin ${this.name} at ${showAddress(this.#address)} cannot be used: ${reply.reason}; see that it runs, and try again`,
    );
  }

  #read<T extends z.ZodType>(
    method: string,
    { status, text }: Extract<Reply, { kind: "answered" }>,
    schema: T,
  ): z.infer<T> {
    const value = tryJson(text);
    const failure = Failure.safeParse(value);
    const said = failure.success ? failure.data.Err : "";
    if (status < 200 || status > 299 || said !== "") {
      const reason = (said || text.trim() || `it answered ${status}`).slice(0, MAX_REASON_CHARACTERS);
      const isUnknownCall = status === NOT_FOUND && said === "";
      throw new PluginRefusal(`${method}: ${reason} (plugin ${this.name})`, { isUnknownCall });
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const place = issue?.path.join(".") ?? "";
    throw this.lie(
      method,
      value === undefined ? "it is not JSON" : `${place === "" ? "" : `${place}: `}${issue?.message}`,
    );
  }

  /** For whoever finds that an answer cannot be. */
  lie(method: string, what: string): Fault {
    return new Fault(
      "internal",
      `${method}: the plugin ${this.name} gave an answer that cannot be used: ${what}`,
    );
  }
}

/** With pauses that double. */
async function untilReached(ask: () => Promise<Reply>, retryMilliseconds: number): Promise<Reply> {
  const until = performance.now() + retryMilliseconds;
  for (let pause = FIRST_PAUSE_MILLISECONDS; ; pause *= 2) {
    const reply = await ask();
    if (reply.kind !== "unreached" || performance.now() + pause > until) return reply;
    await Bun.sleep(pause);
  }
}

/** An empty answer says what an empty object does. */
function tryJson(text: string): unknown {
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
