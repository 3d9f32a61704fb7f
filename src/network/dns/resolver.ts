import { sentenceOf } from "#errors";
import type { Log } from "#host";
import { limitOf, passOn, renderAnswer, renderRefusal } from "./answer.ts";
import { SocketExchange } from "./exchange.ts";
import { type Exchange, forward } from "./forward.ts";
import { Listener, type Transport } from "./listener.ts";
import { answerLocally, type LocalReply } from "./local.ts";
import type { NamedNetwork, NameTable } from "./names.ts";
import { parseQuery, type Query } from "./query.ts";
import { redirectDns } from "./redirect.ts";
import type { Upstream } from "./upstream.ts";
import { RCODE } from "./wire.ts";

/** Whose names a container may ask for, and whom else it may ask. */
export interface Outlook {
  /** All it is on, in the order of their priority; also those without names, since they lead out. */
  readonly networks: readonly (NamedNetwork & { readonly isInternal: boolean })[];
  /** Names for this container alone (`--link` on user-defined networks), each for a name on its networks. */
  readonly links: readonly { readonly alias: string; readonly name: string }[];
  /** As `upstreamsOf` chooses them. */
  readonly upstream: readonly Upstream[];
}

export interface ResolverRequest extends Outlook {
  readonly containerId: string;
  /** `/proc/PID/ns/net`, or a descriptor of it, with the loopback up. */
  readonly namespacePath: string;
  /** What keeps the path what it is: let go of when the container is served no longer. */
  readonly namespace?: Disposable;
}

export interface ResolverOptions {
  readonly table: NameTable;
  readonly log: Log;
  /** How servers are reached from a container's namespace. */
  readonly exchange?: (namespacePath: string) => Exchange;
  /** How port 53 leads to the ports that were chosen. */
  readonly redirect?: typeof redirectDns;
}

type Reply = (answer: Uint8Array) => void;

const DNS_PORT = 53;
/** Questions of one container that other servers have not answered yet. More are refused at once. */
const MAX_IN_FLIGHT = 256;

/** Answers at 127.0.0.11 in the network namespaces of containers on user-defined networks. */
export class Resolver implements Disposable {
  readonly #options: ResolverOptions;
  readonly #served = new Map<string, Served>();

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /** Serves a container from now on; called before its first program runs, and for those that run at the daemon's start. */
  async open(request: ResolverRequest): Promise<void> {
    this.close(request.containerId);
    const served = new Served(request, this.#options);
    this.#served.set(request.containerId, served);
    try {
      await served.listen(request.namespacePath);
    } catch (error) {
      this.#forget(request.containerId, served);
      throw error;
    }
  }

  /** After a connect or disconnect. Nothing happens to what is not served. */
  change(containerId: string, outlook: Partial<Outlook>): void {
    this.#served.get(containerId)?.change(outlook);
  }

  isOpen(containerId: string): boolean {
    return this.#served.has(containerId);
  }

  /** Closes its sockets at once, and gives up what is asked for it: its namespace can end. */
  close(containerId: string): void {
    const served = this.#served.get(containerId);
    if (served !== undefined) this.#forget(containerId, served);
  }

  #forget(containerId: string, served: Served): void {
    served[Symbol.dispose]();
    if (this.#served.get(containerId) === served) this.#served.delete(containerId);
  }

  [Symbol.dispose](): void {
    for (const containerId of [...this.#served.keys()]) this.close(containerId);
  }
}

/** One container's questions. */
export class Served implements Disposable {
  readonly #options: ResolverOptions;
  readonly #exchange: Exchange;
  readonly #closing = new AbortController();
  #outlook: Outlook;
  #links: ReadonlyMap<string, string>;
  readonly #namespace: Disposable | undefined;
  #inFlight = 0;
  #listener: Listener | undefined;

  constructor(request: ResolverRequest, options: ResolverOptions) {
    this.#options = options;
    this.#outlook = request;
    this.#namespace = request.namespace;
    this.#links = linkMap(request);
    this.#exchange = (options.exchange ?? ((path) => new SocketExchange(path)))(request.namespacePath);
  }

  change(outlook: Partial<Outlook>): void {
    this.#outlook = { ...this.#outlook, ...outlook };
    this.#links = linkMap(this.#outlook);
  }

  async listen(namespacePath: string): Promise<void> {
    const open = (port: number) =>
      Listener.open(namespacePath, port, (message, transport, reply) =>
        this.handle(message, transport, reply),
      );
    const listener = await open(0);
    // It may have been closed meanwhile, and the path be another's.
    if (this.#closing.signal.aborted) return listener[Symbol.dispose]();
    try {
      (this.#options.redirect ?? redirectDns)(namespacePath, listener.ports);
      this.#hold(listener);
    } catch (error) {
      listener[Symbol.dispose]();
      this.#options.log(
        "warn",
        `${sentenceOf(error)}; the DNS server takes port 53 of the container's 127.0.0.11 itself`,
      );
      this.#hold(await open(DNS_PORT));
    }
  }

  /** It may have been closed meanwhile. */
  #hold(listener: Listener): void {
    if (this.#closing.signal.aborted) listener[Symbol.dispose]();
    else this.#listener = listener;
  }

  /** Whatever the message is, nothing is thrown. */
  handle(message: Uint8Array, transport: Transport, reply: Reply): void {
    const parsed = parseQuery(message);
    if (parsed.kind === "refuse") reply(renderRefusal(message, parsed.rcode));
    if (parsed.kind !== "query") return;
    const { query } = parsed;
    const limit = limitOf(query, transport);
    const known = this.#answer(query);
    if (known === undefined) void this.#forward(query, limit, reply);
    else reply(renderAnswer(query, { ...known, limit }));
  }

  /** What can be said at once. */
  #answer(query: Query): LocalReply | undefined {
    const asker = { networks: this.#outlook.networks, links: this.#links };
    const local = answerLocally(this.#options.table, asker, query);
    if (local !== undefined) return local;
    return this.#inFlight < MAX_IN_FLIGHT ? undefined : { rcode: RCODE.refused };
  }

  async #forward(query: Query, limit: number, reply: Reply): Promise<void> {
    this.#inFlight += 1;
    try {
      const answer = await forward(query, {
        exchange: this.#exchange,
        servers: this.#isShutIn() ? [] : this.#outlook.upstream,
        signal: this.#closing.signal,
        now: () => performance.now(),
      });
      if (this.#closing.signal.aborted) return;
      const failed = renderAnswer(query, { rcode: RCODE.serverFailure, limit });
      reply(answer === undefined ? failed : passOn(answer, query, limit));
    } catch (error) {
      this.#options.log("error", `Cannot pass on a DNS question: ${sentenceOf(error)}`);
    } finally {
      this.#inFlight -= 1;
    }
  }

  /** What leads nowhere must not let names out either. */
  #isShutIn(): boolean {
    return this.#outlook.networks.every(({ isInternal }) => isInternal);
  }

  [Symbol.dispose](): void {
    this.#closing.abort();
    this.#listener?.[Symbol.dispose]();
    this.#listener = undefined;
    this.#namespace?.[Symbol.dispose]();
  }
}

function linkMap({ links }: Outlook): ReadonlyMap<string, string> {
  return new Map(links.map(({ alias, name }) => [alias.toLowerCase(), name.toLowerCase()]));
}
