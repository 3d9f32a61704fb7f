/** A store in memory that speaks etcd's JSON gateway, as far as bunker does, and can fail as one does. */

interface Entry {
  readonly value: string;
  readonly lease: string;
  readonly create: number;
  readonly mod: number;
}

interface Change {
  readonly type: "PUT" | "DELETE";
  readonly key: string;
  readonly value: string;
  readonly mod: number;
}

interface Watcher {
  readonly key: string;
  readonly end: string;
  readonly send: (message: object) => void;
  readonly close: () => void;
}

type Body = Record<string, unknown>;

const text = (value: unknown): string => Buffer.from(String(value ?? ""), "base64").toString();
const base64 = (value: string): string => Buffer.from(value).toString("base64");
const isWithin = (key: string, start: string, end: string): boolean =>
  end === "" ? key === start : key >= start && key < end;

export class FakeEtcd implements Disposable {
  readonly entries = new Map<string, Entry>();
  /** Paths of all requests, in order. */
  readonly asked: string[] = [];
  readonly #leases = new Map<string, number>();
  readonly #watchers = new Set<Watcher>();
  #history: Change[] = [];
  #revision = 1;
  #compacted = 0;
  #nextLease = 7587848390712345678n;
  #server: ReturnType<typeof Bun.serve>;
  readonly #hostname: string;
  readonly #port: number;
  /** How many of the next requests on a path are done, but not answered. */
  readonly #lost = new Map<string, number>();

  constructor(hostname = "127.0.0.1") {
    this.#hostname = hostname;
    this.#server = this.#listen(0);
    this.#port = this.#server.port ?? 0;
  }

  get host(): string {
    return `${this.#hostname}:${this.#port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  get leases(): readonly string[] {
    return [...this.#leases.keys()];
  }

  value(key: string): string | undefined {
    return this.entries.get(key)?.value;
  }

  /** Another client's doing. */
  set(key: string, value: string): void {
    this.#revision += 1;
    this.#put(key, value, "");
  }

  unset(key: string): void {
    this.#revision += 1;
    this.#delete(key);
  }

  /** As when its process ends: connections break, nothing is forgotten. */
  async stop(): Promise<void> {
    this.dropWatches();
    await this.#server.stop(true);
  }

  start(): void {
    this.#server = this.#listen(this.#port);
  }

  dropWatches(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers.clear();
  }

  loseReplies(path: string, count: number): void {
    this.#lost.set(path, count);
  }

  /** Forgets what came before now. */
  compact(): void {
    this.#compacted = this.#revision;
    this.#history = [];
  }

  expire(lease: string): void {
    this.#leases.delete(lease);
    this.#revision += 1;
    for (const [key, entry] of [...this.entries]) if (entry.lease === lease) this.#delete(key);
  }

  #listen(port: number): ReturnType<typeof Bun.serve> {
    return Bun.serve({
      port,
      hostname: this.#hostname,
      idleTimeout: 0,
      fetch: (request) => this.#answer(request),
    });
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const body = (await request.json()) as Body;
    this.asked.push(pathname);
    if (pathname === "/v3/watch") return this.#watch(body.create_request as Body);
    const reply = this.#reply(pathname, body);
    const lost = this.#lost.get(pathname) ?? 0;
    if (lost === 0) return reply;
    this.#lost.set(pathname, lost - 1);
    return new Response("the connection broke", { status: 503 });
  }

  #reply(path: string, body: Body): Response {
    switch (path) {
      case "/v3/kv/range":
        return Response.json({ header: this.#header(), kvs: this.#range(body) });
      case "/v3/kv/txn":
        return this.#txn(body);
      case "/v3/lease/grant": {
        const id = String(this.#nextLease);
        this.#nextLease += 1n;
        this.#leases.set(id, Number(body.TTL));
        return Response.json({ header: this.#header(), ID: id, TTL: String(body.TTL) });
      }
      case "/v3/lease/keepalive": {
        const ttl = this.#leases.get(String(body.ID));
        return Response.json({ result: { ID: body.ID, ...(ttl !== undefined && { TTL: String(ttl) }) } });
      }
      case "/v3/lease/revoke":
        this.expire(String(body.ID));
        return Response.json({ header: this.#header() });
      default:
        return Response.json({ error: "Not Found", code: 5 }, { status: 404 });
    }
  }

  #header() {
    return { cluster_id: "1", member_id: "1", revision: String(this.#revision), raft_term: "2" };
  }

  #range({ key, range_end, keys_only }: Body): object[] {
    const [start, end] = [text(key), text(range_end)];
    return [...this.entries]
      .filter(([name]) => isWithin(name, start, end))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, entry]) => keyValue(name, keys_only === true ? { ...entry, value: "" } : entry));
  }

  #txn({ compare, success, failure }: Body): Response {
    const succeeded = ((compare ?? []) as Body[]).every((one) => this.#holds(one));
    const operations = ((succeeded ? success : failure) ?? []) as Record<string, Body>[];
    const missing = operations.find(
      ({ request_put: put }) => put?.lease !== undefined && !this.#leases.has(String(put.lease)),
    );
    if (missing !== undefined)
      return Response.json(
        {
          error: "etcdserver: requested lease not found",
          message: "etcdserver: requested lease not found",
          code: 5,
        },
        { status: 404 },
      );
    if (operations.some((one) => one.request_range === undefined)) this.#revision += 1;
    const responses = operations.map((one) => this.#operate(one));
    return Response.json({ header: this.#header(), ...(succeeded && { succeeded }), responses });
  }

  #operate({
    request_put: put,
    request_delete_range: range,
    request_range: get,
  }: Record<string, Body>): object {
    if (get !== undefined) return { response_range: { kvs: this.#range(get) } };
    if (put !== undefined) this.#put(text(put.key), text(put.value), String(put.lease ?? ""));
    if (range !== undefined)
      for (const name of [...this.entries.keys()])
        if (isWithin(name, text(range.key), text(range.range_end))) this.#delete(name);
    return {};
  }

  #holds({ key, range_end, target, create_revision, mod_revision, value }: Body): boolean {
    const [start, end] = [text(key), text(range_end)];
    const found = [...this.entries].filter(([name]) => isWithin(name, start, end)).map(([, entry]) => entry);
    const compared = found.length > 0 ? found : [{ value: undefined, create: 0, mod: 0 }];
    return compared.every((entry) => {
      if (target === "CREATE") return entry.create === Number(create_revision);
      if (target === "MOD") return entry.mod === Number(mod_revision);
      return entry.value === text(value);
    });
  }

  #put(key: string, value: string, lease: string): void {
    const mod = this.#revision;
    this.entries.set(key, { value, lease, create: this.entries.get(key)?.create ?? mod, mod });
    this.#tell({ type: "PUT", key, value, mod });
  }

  #delete(key: string): void {
    if (this.entries.delete(key)) this.#tell({ type: "DELETE", key, value: "", mod: this.#revision });
  }

  #tell(change: Change): void {
    this.#history.push(change);
    for (const { key, end, send } of this.#watchers)
      if (isWithin(change.key, key, end)) send(this.#message([change]));
  }

  #message(changes: readonly Change[]): object {
    const events = changes.map(({ type, key, value, mod }) => ({
      ...(type === "DELETE" && { type }),
      kv: keyValue(key, { value, create: mod, mod }),
    }));
    return { result: { header: this.#header(), events } };
  }

  #watch({ key, range_end, start_revision }: Body): Response {
    const [start, end, from] = [text(key), text(range_end), Number(start_revision)];
    let watcher: Watcher | undefined;
    const encoder = new TextEncoder();
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const send = (message: object) => controller.enqueue(encoder.encode(`${JSON.stringify(message)}\n`));
        send({ result: { header: this.#header(), created: true } });
        if (from <= this.#compacted) {
          const compact_revision = String(this.#compacted + 1);
          send({ result: { header: this.#header(), canceled: true, compact_revision } });
          controller.close();
          return;
        }
        const missed = this.#history.filter(
          ({ mod, key: name }) => mod >= from && isWithin(name, start, end),
        );
        if (missed.length > 0) send(this.#message(missed));
        watcher = { key: start, end, send, close: () => controller.close() };
        this.#watchers.add(watcher);
      },
      cancel: () => void (watcher !== undefined && this.#watchers.delete(watcher)),
    });
    return new Response(stream, { headers: { "Content-Type": "application/json" } });
  }

  [Symbol.dispose](): void {
    this.dropWatches();
    void this.#server.stop(true);
  }
}

function keyValue(key: string, { value, create, mod }: Pick<Entry, "value" | "create" | "mod">): object {
  return {
    key: base64(key),
    ...(value !== "" && { value: base64(value) }),
    create_revision: String(create),
    mod_revision: String(mod),
  };
}
