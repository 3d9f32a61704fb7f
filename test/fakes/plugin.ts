import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { dirname } from "node:path";

export type Answer = (body: Record<string, unknown>) => object | Promise<object>;

/** What goes wrong with a call. */
export type PluginFault =
  /** No answer at all. */
  | { readonly kind: "hang" }
  /** The connection ends in the middle of the answer, which is done all the same. */
  | { readonly kind: "die" }
  | { readonly kind: "refuse"; readonly reason: string; readonly status?: number }
  | { readonly kind: "text"; readonly text: string };

/** A plugin that remembers what it was asked, and fails as it is told to. */
export class FakePlugin implements AsyncDisposable {
  readonly asked: { readonly method: string; readonly body: Record<string, unknown> }[] = [];
  readonly accepted: (string | undefined)[] = [];
  readonly answers: Record<string, Answer>;
  readonly faults = new Map<string, PluginFault>();
  readonly #path: string;
  readonly #tls: { readonly key: string; readonly cert: string } | undefined;
  #server: Server | undefined;

  /** `path`: of its socket; with a key and a certificate it listens on a port of the loopback instead. */
  constructor(
    path: string,
    answers: Record<string, Answer>,
    tls?: { readonly key: string; readonly cert: string },
  ) {
    this.#path = path;
    this.answers = answers;
    this.#tls = tls;
  }

  static async start(...words: ConstructorParameters<typeof FakePlugin>): Promise<FakePlugin> {
    const plugin = new FakePlugin(...words);
    await plugin.start();
    return plugin;
  }

  get port(): number {
    const address = this.#server?.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  calls(method: string): readonly Record<string, unknown>[] {
    return this.asked.filter((one) => one.method === method).map(({ body }) => body);
  }

  async start(): Promise<void> {
    const serve = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response);
    const server = this.#tls === undefined ? createServer(serve) : createTlsServer(this.#tls, serve);
    this.#server = server;
    mkdirSync(dirname(this.#path), { recursive: true });
    rmSync(this.#path, { force: true });
    await new Promise<void>((resolve) => {
      if (this.#tls === undefined) server.listen(this.#path, resolve);
      else server.listen(0, "127.0.0.1", resolve);
    });
    if (this.#tls === undefined) chmodSync(this.#path, 0o600);
  }

  /** As one whose process is killed: its socket stays behind. */
  async stop({ leavesSocket = false } = {}): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
    if (!leavesSocket) rmSync(this.#path, { force: true });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const method = (request.url ?? "").slice(1);
    const body = JSON.parse(text || "{}") as Record<string, unknown>;
    this.asked.push({ method, body });
    this.accepted.push(request.headers.accept);
    const fault = this.faults.get(method);
    if (fault?.kind === "hang") return;
    if (fault?.kind === "refuse")
      return send(response, fault.status ?? 500, JSON.stringify({ Err: fault.reason }));
    if (fault?.kind === "text") return send(response, 200, fault.text);
    const answer = this.answers[method];
    if (answer === undefined) return send(response, 404, "");
    try {
      const reply = JSON.stringify(await answer(body));
      if (fault?.kind !== "die") return send(response, 200, reply);
      response.writeHead(200, { "Content-Length": reply.length + 10 });
      response.write(reply, () => request.socket.destroy());
    } catch (thrown) {
      send(response, 500, JSON.stringify({ Err: thrown instanceof Error ? thrown.message : String(thrown) }));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "application/vnd.docker.plugins.v1.2+json" });
  response.end(text);
}

/** Volumes as folders in `root`, counted by the ids of those who mount them. */
export function volumeAnswers(root: string, scope: "local" | "global" = "local"): Record<string, Answer> {
  mkdirSync(root, { recursive: true });
  const holders = new Map<string, Set<string>>();
  const pathOf = (body: Record<string, unknown>) => `${root}/${String(body.Name)}`;
  const demand = (body: Record<string, unknown>) => {
    if (!existsSync(pathOf(body))) throw new Error(`there is no volume ${String(body.Name)}`);
    return String(body.Name);
  };
  const told = (name: string) => ({
    Name: name,
    Mountpoint: (holders.get(name)?.size ?? 0) > 0 ? `${root}/${name}` : "",
    Status: { Kept: "here" },
  });
  return {
    "Plugin.Activate": () => ({ Implements: ["VolumeDriver"] }),
    "VolumeDriver.Capabilities": () => ({ Capabilities: { Scope: scope } }),
    "VolumeDriver.Create": (body) => {
      mkdirSync(pathOf(body));
      return { Err: "" };
    },
    "VolumeDriver.Remove": (body) => {
      rmSync(`${root}/${demand(body)}`, { recursive: true });
      holders.delete(String(body.Name));
      return { Err: "" };
    },
    "VolumeDriver.Mount": (body) => {
      const name = demand(body);
      holders.set(name, (holders.get(name) ?? new Set()).add(String(body.ID)));
      return { Mountpoint: `${root}/${name}`, Err: "" };
    },
    "VolumeDriver.Unmount": (body) => {
      if (holders.get(demand(body))?.delete(String(body.ID)) !== true) throw new Error("it is not mounted");
      return { Err: "" };
    },
    "VolumeDriver.Path": (body) => ({ Mountpoint: told(demand(body)).Mountpoint, Err: "" }),
    "VolumeDriver.Get": (body) => ({ Volume: told(demand(body)), Err: "" }),
    "VolumeDriver.List": () => ({ Volumes: readdirSync(root).map(told), Err: "" }),
  };
}
