import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, createServer } from "node:net";
import { FakeRegistry } from "../fakes/registry.ts";
import { Client } from "../fakes/served.ts";
import { tarOf } from "../fakes/tar.ts";
import { TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, requirePackages } from "../fixtures/index.ts";
import { Listener } from "../fixtures/listener.ts";
import { serveImage } from "../fixtures/serve-image.ts";

/** What re-implementations of Docker's API get wrong, by the numbers of the list in test/unit/surface/semantics.test.ts. */
const MINUTE = 60_000;
const UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n";

let fake: FakeRegistry;
let daemon: TestDaemon;
let listener: Listener;

beforeAll(async () => {
  await requirePackages([]);
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
  await daemon.ok("pull", "-q", "busybox");
  listener = await Listener.open(daemon.socket);
}, 10 * MINUTE);

afterAll(async () => {
  await listener?.[Symbol.asyncDispose]();
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

const post = (path: string, body?: unknown) => daemon.request("POST", path, body);
const status = async (method: string, path: string, body?: unknown) =>
  (await daemon.request(method, path, body)).status;
const encoded = (filters: unknown) => `filters=${encodeURIComponent(JSON.stringify(filters))}`;

async function created(body: Readonly<Record<string, unknown>>, name = ""): Promise<string> {
  const response = await post(`/containers/create?name=${name}`, { Image: "busybox", ...body });
  const reply = (await response.json()) as { Id: string; Warnings: unknown };
  expect([response.status, reply.Warnings]).toEqual([201, []]);
  return reply.Id;
}

async function started(body: Readonly<Record<string, unknown>>): Promise<string> {
  const id = await created(body);
  expect(await status("POST", `/containers/${id}/start`)).toBe(204);
  return id;
}

interface State {
  readonly Status: string;
  readonly ExitCode: number;
  readonly Error: string;
  readonly Running: boolean;
}
interface Inspected {
  readonly State: State;
  readonly RestartCount: number;
  readonly Mounts: readonly { readonly Name: string }[];
  readonly NetworkSettings: { readonly Ports: Readonly<Record<string, unknown>> };
  readonly HostConfig: { readonly PortBindings: unknown };
}
const inspected = (id: string) => daemon.json<Inspected>(`/containers/${id}/json`);
const shell = (script: string) => ({ Cmd: ["sh", "-c", script] });
const codeOf = async (response: Response) => ((await response.json()) as { StatusCode: number }).StatusCode;
const removed = (id: string) => status("DELETE", `/containers/${id}?force=1&v=1`);

function dial(head: string): Client {
  const client = new Client(connect({ path: daemon.socket, allowHalfOpen: true }));
  client.socket.write(head);
  return client;
}

test(
  "semantics 1, 2, 4, 5: attached and waited for before its start, a container loses no byte in either direction",
  async () => {
    const streams = { OpenStdin: true, StdinOnce: true, AttachStdin: true };
    const id = await created({
      ...shell("echo first; read x; echo got $x; exit 5"),
      ...streams,
      HostConfig: { AutoRemove: true },
    });
    const query = "stream=1&stdin=1&stdout=1&stderr=1";
    const client = dial(
      `POST /v1.44/containers/${id}/attach?${query} HTTP/1.1\r\nHost: d\r\n${UPGRADE}\r\nearly `,
    );
    await client.until("101 UPGRADED");
    expect(await codeOf(await post(`/containers/${id}/wait?condition=not-running`))).toBe(0);
    const next = await post(`/containers/${id}/wait?condition=next-exit`);
    const gone = await post(`/containers/${id}/wait?condition=removed`);
    expect(await status("POST", `/containers/${id}/start`)).toBe(204);
    client.socket.end("late\n");
    const reply = await client.ended();
    expect(reply).toContain("\x01\0\0\0\0\0\0\x06first\n");
    expect(reply).toEndWith("got early late\n");
    expect([await codeOf(next), await codeOf(gone)]).toEqual([5, 5]);
    expect(await status("GET", `/containers/${id}/json`)).toBe(404);
  },
  MINUTE,
);

test(
  "semantics 5, 11, 28: a start that fails releases who waits, and says in Docker's words why",
  async () => {
    const id = await created({ Cmd: ["nosuch"], HostConfig: { RestartPolicy: { Name: "always" } } });
    const wait = await post(`/containers/${id}/wait?condition=next-exit`);
    const response = await post(`/containers/${id}/start`);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("executable file not found");
    expect(await codeOf(wait)).toBe(127);
    const { State, RestartCount } = await inspected(id);
    expect([State.Status, State.ExitCode, RestartCount]).toEqual(["created", 127, 0]);
    expect(State.Error).toContain("executable file not found");
    expect(await removed(id)).toBe(204);
  },
  MINUTE,
);

test(
  "semantics 28: a port that cannot be had leaves the container created, and starts nothing again",
  async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    const HostPort = String(typeof address === "object" ? address?.port : 0);
    const PortBindings = { "80/tcp": [{ HostIp: "127.0.0.1", HostPort }] };
    const HostConfig = { PortBindings, RestartPolicy: { Name: "always" } };
    const id = await created({ ...shell("sleep 600"), HostConfig });
    const response = await post(`/containers/${id}/start`);
    expect(response.status).toBe(409);
    expect(await response.text()).toContain("port is already allocated");
    const { State, RestartCount } = await inspected(id);
    expect([State.Status, RestartCount]).toEqual(["created", 0]);
    taken.close();
    expect(await removed(id)).toBe(204);
  },
  MINUTE,
);

test(
  "semantics 6: what is to live once goes with its anonymous volumes after its streams are drained",
  async () => {
    const id = await created({
      ...shell("seq 20000"),
      Volumes: { "/v": {} },
      HostConfig: { AutoRemove: true },
    });
    const { Mounts } = await inspected(id);
    const client = dial(
      `POST /containers/${id}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\n${UPGRADE}\r\n`,
    );
    await client.until("\r\n\r\n");
    const gone = await post(`/containers/${id}/wait?condition=removed`);
    await post(`/containers/${id}/start`);
    expect(await client.ended()).toContain("\n20000\n");
    expect(await codeOf(gone)).toBe(0);
    expect(await status("GET", `/volumes/${Mounts[0]?.Name}`)).toBe(404);
    expect([404, 409]).toContain(await removed(id));
  },
  MINUTE,
);

test(
  "semantics 8, 9, 24: statuses tell what changed, what did not and what cannot be",
  async () => {
    const id = await created(shell("sleep 600"), "states");
    const at = `/containers/${id}`;
    const steps: readonly (readonly [string, string, number, unknown?])[] = [
      ["POST", `${at}/kill`, 409],
      ["POST", `${at}/pause`, 409],
      ["POST", `${at}/exec`, 409, { Cmd: ["true"] }],
      ["POST", `${at}/stop`, 304],
      ["POST", `${at}/start`, 204],
      ["POST", `${at}/start`, 304],
      ["POST", `${at}/pause`, 204],
      ["POST", `${at}/pause`, 409],
      ["POST", `${at}/exec`, 409, { Cmd: ["true"] }],
      ["POST", `${at}/unpause`, 204],
      ["POST", `${at}/unpause`, 409],
      ["DELETE", at, 409],
      ["POST", `${at}/stop?t=0`, 204],
      ["POST", `${at}/stop`, 304],
      ["POST", `${at}/kill`, 409],
    ];
    for (const [index, [method, path, expected, body]] of steps.entries())
      expect([index, path, await status(method, path, body)]).toEqual([index, path, expected]);
    const twice = await post("/containers/create?name=states", { Image: "busybox" });
    expect([twice.status, await twice.json()]).toEqual([
      409,
      { message: expect.stringContaining(`already in use by container "${id}"`) },
    ]);
    const missing = await post("/containers/nosuch/start");
    expect([missing.status, await missing.json()]).toEqual([404, { message: "No such container: nosuch" }]);
    expect(await status("DELETE", at)).toBe(204);
  },
  MINUTE,
);

test(
  "semantics 12: a whole id is found before a name, a name before the beginning of an id",
  async () => {
    const id = await created(shell("true"), "looked-up");
    const named = async (ref: string) =>
      ((await daemon.json<{ Id?: string }>(`/containers/${ref}/json`)).Id ?? "").slice(0, 12);
    const short = id.slice(0, 12);
    for (const ref of [id, short, "looked-up", "%2Flooked-up"]) expect(await named(ref)).toBe(short);
    const other = await created(shell("true"), short);
    expect([await named(short), await named(id)]).toEqual([other.slice(0, 12), short]);
    const { Id: first } = (await (await post("/networks/create", { Name: "first" })).json()) as {
      Id: string;
    };
    await post("/networks/create", { Name: first.slice(0, 12) });
    const network = async (ref: string) => (await daemon.json<{ Name: string }>(`/networks/${ref}`)).Name;
    expect(await network(first.slice(0, 20))).toBe("first");
    expect(await network(first.slice(0, 12))).toBe(first.slice(0, 12));
    for (const name of ["first", first.slice(0, 12)])
      expect(await status("DELETE", `/networks/${name}`)).toBe(204);
    for (const container of [id, other]) expect(await removed(container)).toBe(204);
  },
  MINUTE,
);

test(
  "semantics 13: filters come in both encodings, any value of a key will do, all keys and labels must",
  async () => {
    const first = await created({ ...shell("true"), Labels: { a: "1", b: "2" } }, "filtered-one");
    const second = await created({ ...shell("true"), Labels: { a: "1" } }, "filtered-two");
    const found = async (filters: unknown) =>
      (await daemon.json<{ Id: string }[]>(`/containers/json?all=1&${encoded(filters)}`)).map(({ Id }) => Id);
    const rows: readonly (readonly [unknown, readonly string[]])[] = [
      [{ name: ["filtered"] }, [second, first]],
      [{ name: { filtered: true } }, [second, first]],
      [{ name: ["^/filtered-one$"] }, [first]],
      [{ name: ["filtered-one", "filtered-two"], label: ["b"] }, [first]],
      [{ label: ["a=1", "b=2"] }, [first]],
      [{ label: { "a=1": true }, name: ["filtered-t"] }, [second]],
      [{ label: ["a=2"] }, []],
    ];
    for (const [filters, ids] of rows) expect([filters, await found(filters)]).toEqual([filters, ids]);
    expect(await status("GET", `/containers/json?${encoded({ colour: ["red"] })}`)).toBe(400);
    expect(await status("GET", `/containers/json?${encoded({ "label!": ["a"] })}`)).toBe(400);
    const without = encoded({ "label!": ["b"], label: ["a=1"] });
    expect(await (await post(`/containers/prune?${without}`)).json()).toMatchObject({
      ContainersDeleted: [second],
    });
    expect(await removed(first)).toBe(204);
  },
  MINUTE,
);

test(
  "semantics 16: events come in Docker's order, and inspect shows the new state by then",
  async () => {
    const name = "ordered";
    const id = await created({ ...shell("sleep 600"), Labels: { a: "b" }, StopSignal: "SIGKILL" }, name);
    const client = dial(
      `POST /containers/${id}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\n${UPGRADE}\r\n`,
    );
    await client.until("\r\n\r\n");
    await post(`/containers/${id}/start`);
    await post(`/containers/${id}/stop`);
    await removed(id);
    await listener.next(id, "destroy");
    for (const { Actor } of listener.all.filter((message) => message.Actor.ID === id))
      expect(Actor.Attributes).toMatchObject({ name, image: "busybox", a: "b" });
    const death = listener.all.find(({ Action, Actor }) => Actor.ID === id && Action === "die");
    expect(death?.Actor.Attributes).toMatchObject({ exitCode: "137", execDuration: expect.any(String) });
    expect(listener.seen(id)).toEqual(["create", "attach", "start", "kill", "die", "stop", "destroy"]);
  },
  MINUTE,
);

test(
  "semantics 16: whoever hears of the end sees it",
  async () => {
    const id = await started(shell("exit 4"));
    await listener.next(id, "die");
    const { State } = await inspected(id);
    expect([State.Status, State.ExitCode]).toEqual(["exited", 4]);
    await removed(id);
  },
  MINUTE,
);

test(
  "semantics 18: a port without a number is chosen at the start, for both families, and the request stays as it was",
  async () => {
    const PortBindings = { "80/tcp": [{ HostIp: "", HostPort: "" }] };
    const id = await started({ ...shell("sleep 600"), HostConfig: { PortBindings } });
    const { NetworkSettings, HostConfig } = await inspected(id);
    const rows = NetworkSettings.Ports["80/tcp"] as { HostIp: string; HostPort: string }[];
    expect(rows.map(({ HostIp }) => HostIp).sort()).toEqual(["0.0.0.0", "::"]);
    expect(Number(rows[0]?.HostPort)).toBeGreaterThan(1024);
    expect(HostConfig.PortBindings).toEqual(PortBindings);
    await removed(id);
  },
  MINUTE,
);

test(
  "semantics 19: a log that is read right after the exit is whole",
  async () => {
    for (let round = 0; round < 5; round++) {
      const id = await started(shell("seq 3000"));
      await (await post(`/containers/${id}/wait`)).text();
      const log = await (await daemon.request("GET", `/containers/${id}/logs?stdout=1`)).text();
      expect(log.split("\n")).toHaveLength(3001);
      await removed(id);
    }
  },
  MINUTE,
);

describe("semantics 21", () => {
  test(
    "semantics 21: whoever asks whether to go on is told to, and then heard",
    async () => {
      const id = await created(shell("true"));
      const archive = tarOf([{ path: "sent", data: "x" }]);
      const head = `PUT /containers/${id}/archive?path=/ HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n`;
      const client = dial(head);
      await client.until("HTTP/1.1 100 Continue\r\n\r\n");
      client.socket.write(`${archive.length.toString(16)}\r\n`);
      client.socket.write(archive);
      client.socket.write("\r\n0\r\n\r\n");
      await client.until("HTTP/1.1 200 OK");
      expect(await status("HEAD", `/containers/${id}/archive?path=/sent`)).toBe(200);
      client.socket.destroy();
      await removed(id);
    },
    MINUTE,
  );

  test(
    "semantics 21: logs that are empty have a head, at once when they are followed",
    async () => {
      const id = await started(shell("sleep 600"));
      const plain = await daemon.request("GET", `/containers/${id}/logs?stdout=1`);
      expect([plain.status, await plain.text()]).toEqual([200, ""]);
      const followed = await daemon.request("GET", `/containers/${id}/logs?stdout=1&follow=1`);
      expect(followed.status).toBe(200);
      await followed.body?.cancel();
      await removed(id);
    },
    MINUTE,
  );
});

test(
  "semantics 22: the first sample has nothing before it, and stream=false waits for two",
  async () => {
    interface Sample {
      readonly precpu_stats: { readonly system_cpu_usage?: number };
      readonly cpu_stats: { readonly system_cpu_usage: number; readonly online_cpus: number };
    }
    const id = await started(shell("sleep 600"));
    const of = (query: string) => daemon.json<Sample>(`/containers/${id}/stats?${query}`);
    const once = await of("stream=false&one-shot=true");
    expect([once.precpu_stats.system_cpu_usage, once.cpu_stats.online_cpus > 0]).toEqual([undefined, true]);
    const { cpu_stats, precpu_stats } = await of("stream=false");
    expect(cpu_stats.system_cpu_usage).toBeGreaterThan(
      precpu_stats.system_cpu_usage ?? Number.POSITIVE_INFINITY,
    );
    await removed(id);
  },
  MINUTE,
);

test(
  "semantics 23: a terminal that is not there is not resized, and one that is has rows before columns",
  async () => {
    const id = await created({
      ...shell("trap 'stty size; exit' WINCH; while :; do usleep 10000; done"),
      Tty: true,
    });
    expect(await status("POST", `/containers/${id}/resize?h=33&w=44`)).toBe(409);
    await post(`/containers/${id}/start`);
    expect(await status("POST", `/containers/${id}/resize?h=33&w=44`)).toBe(200);
    // The kernel tells a program only of a size that is new, and the first may come before the trap is there.
    for (let rows = 55; (await inspected(id)).State.Running; rows = 88 - rows)
      await status("POST", `/containers/${id}/resize?h=${rows}&w=44`);
    const log = await (await daemon.request("GET", `/containers/${id}/logs?stdout=1`)).text();
    expect(log).toMatch(/^(?:(?:33|55) 44\r\n)+$/);
    expect(await status("POST", `/containers/${id}/resize?h=33&w=44`)).toBe(409);
    await removed(id);
  },
  MINUTE,
);

test(
  "semantics 25: a reaper sees the socket, and removes by label whatever is left",
  async () => {
    const Labels = { "org.testcontainers": "true" };
    const HostConfig = { Binds: [`${daemon.socket}:/var/run/docker.sock`] };
    const reaper = await started({ ...shell("test -S /var/run/docker.sock"), HostConfig });
    expect(await codeOf(await post(`/containers/${reaper}/wait`))).toBe(0);
    const id = await started({ ...shell("sleep 600"), Labels });
    await post("/networks/create", { Name: "reaped", Labels });
    await post("/volumes/create", { Name: "reaped", Labels });
    const label = encoded({ label: { "org.testcontainers=true": true } });
    expect(await daemon.json(`/containers/json?all=1&${label}`)).toMatchObject([{ Id: id }]);
    expect(await daemon.json(`/networks?${label}`)).toMatchObject([{ Name: "reaped" }]);
    expect(await daemon.json(`/volumes?${label}`)).toMatchObject({ Volumes: [{ Name: "reaped" }] });
    expect(await daemon.json(`/images/json?${label}`)).toEqual([]);
    expect([await removed(id), await removed(id)]).toEqual([204, 404]);
    expect(await status("DELETE", "/networks/reaped")).toBe(204);
    expect(await status("DELETE", "/volumes/reaped?force=1")).toBe(204);
    expect(await status("DELETE", "/volumes/reaped?force=1")).toBe(204);
    await removed(reaper);
  },
  MINUTE,
);

test(
  "semantics 26: a stop waits for ever with -1, not at all with 0, thaws what is paused, and else keeps to the container's time",
  async () => {
    const stubborn = "trap '' TERM; while :; do usleep 10000; done";
    const polite = "trap 'usleep 300000; exit 9' TERM; echo ready; while :; do usleep 10000; done";
    const codeAfter = async (id: string, query: string) => {
      expect(await status("POST", `/containers/${id}/stop${query}`)).toBe(204);
      const { ExitCode } = (await inspected(id)).State;
      await removed(id);
      return ExitCode;
    };
    expect(await codeAfter(await started(shell(stubborn)), "?t=0")).toBe(137);
    const patient = await ready(polite);
    await post(`/containers/${patient}/pause`);
    expect(await codeAfter(patient, "?t=-1")).toBe(9);
    expect(await codeAfter(await started({ ...shell(stubborn), StopTimeout: 0 }), "")).toBe(137);
  },
  MINUTE,
);

/** Started, and by what it says as far as its traps. */
async function ready(script: string, HostConfig: object = {}): Promise<string> {
  const id = await started({ ...shell(script), HostConfig });
  const log = await daemon.request("GET", `/containers/${id}/logs?stdout=1&follow=1`);
  for await (const _ of log.body ?? []) break;
  return id;
}

test(
  "semantics 29: a stop goes on without its client, and a log that is followed does not",
  async () => {
    const id = await ready("trap 'usleep 300000; exit 9' TERM; echo ready; while :; do usleep 10000; done");
    const controller = new AbortController();
    const stop = fetch(`http://d/containers/${id}/stop`, {
      unix: daemon.socket,
      method: "POST",
      signal: controller.signal,
    }).catch(() => "given up");
    await listener.next(id, "kill");
    controller.abort();
    expect(await stop).toBe("given up");
    expect(await codeOf(await post(`/containers/${id}/wait`))).toBe(9);
    const running = async () =>
      (await daemon.json<{ name: string; status: string }[]>("/bunker/jobs")).filter(
        (job) => job.status === "running" && job.name === "container.logs",
      );
    while ((await running()).length > 0) await daemon.request("GET", "/_ping");
    await removed(id);
  },
  MINUTE,
);

test(
  "semantics 30: killed with its stop signal it rests, with another it is started again",
  async () => {
    const script = "trap 'exit 0' TERM; trap 'exit 1' HUP; echo ready; while :; do usleep 10000; done";
    const id = await ready(script, { RestartPolicy: { Name: "always" } });
    await listener.next(id, "start");
    await post(`/containers/${id}/kill?signal=HUP`);
    await listener.next(id, "start");
    expect((await inspected(id)).RestartCount).toBe(1);
    const follow = await daemon.request("GET", `/containers/${id}/logs?stdout=1&follow=1&tail=all`);
    let text = "";
    for await (const chunk of follow.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (text.split("ready").length > 2) break;
    }
    const wait = await post(`/containers/${id}/wait?condition=next-exit`);
    await post(`/containers/${id}/kill?signal=TERM`);
    await codeOf(wait);
    expect((await inspected(id)).State.Status).toBe("exited");
    await removed(id);
  },
  MINUTE,
);
