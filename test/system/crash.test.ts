import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";

/** Another seed is another story: BUNKER_TEST_SEED tells one again. */
const SEED = Number(process.env.BUNKER_TEST_SEED ?? 20_260_000);
const ROUNDS = Number(process.env.BUNKER_TEST_ROUNDS ?? 25);
const CLIENTS = 4;
/** How long a daemon lives in one round, milliseconds: some steps of a start or a removal. */
const LIFE = { least: 2, most: 140 };
const ID = /^[0-9a-f]{64}$/;

let part: HostPart;

beforeAll(async () => {
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => part?.[Symbol.asyncDispose](), PATIENCE);

/** Source: mulberry32, a generator of 32 bits of state. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Belief {
  readonly name: string;
  /** Empty for one whose creation was not answered. */
  readonly id: string;
  readonly status: "created" | "running" | "exited";
}

interface Step {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  /** What is so once it has been answered with success. */
  after(reply: { readonly Id?: string }): Belief | undefined;
  /** What is so on the way there. */
  readonly between?: Belief;
}

/** One who works on one container at a time, and knows what was promised. Undefined stands for no container. */
class Client {
  believed: Belief | undefined;
  /** What would also be true, had the request that was cut off been carried out. */
  pending: readonly (Belief | undefined)[] = [];
  readonly complaints: string[] = [];
  readonly #prefix: string;
  readonly #random: () => number;
  #count = 0;

  constructor(number: number, random: () => number) {
    this.#prefix = `client${number}-`;
    this.#random = random;
  }

  /** Asks for one thing after the other until the daemon answers no more, or so many times. */
  async work(times = Number.POSITIVE_INFINITY): Promise<void> {
    for (let time = 0; time < times; time++) {
      const step = this.#next();
      this.pending = [step.after({}), ...(step.between === undefined ? [] : [step.between])];
      let reply: Response;
      let text: string;
      try {
        reply = await part.daemon.request(step.method, step.path, step.body);
        text = await reply.text();
      } catch {
        return;
      }
      if (reply.ok) this.believed = step.after(text === "" ? {} : JSON.parse(text));
      else this.complaints.push(`${step.method} ${step.path}: ${reply.status} ${text}`);
      this.pending = [];
    }
  }

  #next(): Step {
    const belief = this.believed;
    if (belief === undefined) return this.#create();
    const { id, status } = belief;
    const exited = { ...belief, status: "exited" as const };
    const between = status === "running" ? { between: exited } : {};
    const ways: Step[] = [
      this.#rename(belief),
      { method: "DELETE", path: `/containers/${id}?force=1&v=1`, after: () => undefined, ...between },
    ];
    if (status === "running") {
      const after = () => exited;
      ways.push({ method: "POST", path: `/containers/${id}/stop?t=0`, after });
    } else {
      const after = () => ({ ...belief, status: "running" as const });
      const start = { method: "POST", path: `/containers/${id}/start`, after };
      ways.push(start, start, start);
    }
    return ways[Math.floor(this.#random() * ways.length)] as Step;
  }

  #create(): Step {
    const name = this.#name();
    const ports = this.#random() < 0.5 ? { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] } : {};
    return {
      method: "POST",
      path: `/containers/create?name=${name}`,
      // Its anonymous volume is filled from the image when it is started.
      body: {
        Image: "busybox",
        Cmd: ["sleep", "600"],
        HostConfig: { PortBindings: ports },
        Volumes: { "/etc": {} },
      },
      after: ({ Id: id = "" }) => ({ name, id, status: "created" }),
    };
  }

  #rename(belief: Belief): Step {
    const name = this.#name();
    const path = `/containers/${belief.id}/rename?name=${name}`;
    return { method: "POST", path, after: () => ({ ...belief, name }) };
  }

  #name(): string {
    this.#count += 1;
    return `${this.#prefix}${this.#count}`;
  }

  /** Compares what the daemon shows with what it had promised, and believes it. */
  look(shown: readonly Belief[]): string[] {
    const own = shown.filter(({ name }) => name.startsWith(this.#prefix));
    const possible = [this.believed, ...this.pending];
    const [found] = own;
    const isExpected = possible.some(
      (belief) =>
        belief?.name === found?.name &&
        belief?.status === found?.status &&
        [found?.id, ""].includes(belief?.id ?? found?.id),
    );
    const words = `${JSON.stringify(own)} instead of ${JSON.stringify(possible)}`;
    this.believed = found;
    this.pending = [];
    return isExpected && own.length <= 1 ? [] : [`LOST, GHOST, STALE or DIED: ${words}`];
  }
}

interface Listed {
  readonly Id: string;
  readonly Names: readonly [string];
  readonly State: Belief["status"] | "removing";
}

/** What a removal that was cut off had still to do is done by the next daemon. */
async function shown(): Promise<Belief[]> {
  let listed: Listed[] = [];
  await until(
    async () => {
      listed = await part.daemon.json<Listed[]>("/containers/json?all=1");
      return listed.filter(({ State }) => State === "removing");
    },
    (removing) => removing.length === 0,
  );
  return listed.map(({ Id, Names: [name], State }) => ({
    id: Id,
    name: name.slice(1),
    status: State as Belief["status"],
  }));
}

const idsIn = (path: string) => {
  try {
    return readdirSync(path).filter((name) => ID.test(name));
  } catch {
    return [];
  }
};

/** Ids that the machine knows containers by, in each place where something of one can stay behind. */
function traces(): Record<"containers" | "running", Record<string, readonly string[]>> {
  const { dataRoot, execRoot, cgroupParent } = part.daemon;
  const groups = readdirSync("/sys/fs/cgroup").flatMap((name) =>
    ["", "/confined"].flatMap((below) => idsIn(`/sys/fs/cgroup/${name}/${cgroupParent}${below}`)),
  );
  const own = readlinkSync("/proc/self/ns/net");
  const commands = readdirSync("/proc").flatMap((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/ns/net`) === own
        ? [readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")]
        : [];
    } catch {
      return [];
    }
  });
  return {
    containers: { folders: idsIn(`${dataRoot}/containers`), layers: idsIn(`${dataRoot}/overlay2`) },
    running: {
      states: idsIn(`${execRoot}/containers`),
      groups,
      processes: commands.flatMap(([program = "", verb = "", ...words]) =>
        verb === "supervise" || (verb === "relay" && words[0]?.startsWith(execRoot) === true)
          ? [words.find((word) => ID.test(word)) ?? `${program} ${verb}`]
          : [],
      ),
      links: readFileSync("/proc/self/net/dev", "utf8").match(/\bveth[0-9a-f]{8}\b/g) ?? [],
    },
  };
}

/** What is on the machine of containers that are not, or do not run, and what is missing. */
function leftovers(containers: readonly Belief[], foreign: ReadonlySet<string>): string[] {
  const all = new Set(containers.map(({ id }) => id));
  const running = new Set(containers.filter(({ status }) => status === "running").map(({ id }) => id));
  const { containers: kept, running: live } = traces();
  const { links = [], ...named } = live;
  const { root, dataRoot } = part.daemon;
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").match(new RegExp(`\\S*${root}\\S*`, "g")) ?? [];
  const parts = [
    ...new Bun.Glob("volumes/*/.copy-up-*").scanSync({ cwd: dataRoot, dot: true, onlyFiles: false }),
  ];
  const compare = (place: string, found: readonly string[], wanted: ReadonlySet<string>) => [
    ...found.filter((id) => !wanted.has(id) && !foreign.has(id)).map((id) => `LEFTOVER in ${place}: ${id}`),
    ...[...wanted].filter((id) => !found.includes(id)).map((id) => `MISSING in ${place}: ${id}`),
  ];
  return [
    ...Object.entries(kept).flatMap(([place, found]) => compare(place, found, all)),
    ...Object.entries(named).flatMap(([place, found]) => compare(place, found, running)),
    ...mounts.map((mount) => `LEFTOVER mount: ${mount}`),
    ...parts.map((path) => `LEFTOVER: ${path}`),
    ...(links.length === running.size ? [] : [`${links.length} links for ${running.size} containers`]),
  ];
}

test(
  "what is stopped, started, renamed and removed without a pause is never mistaken for its earlier life",
  async () => {
    const random = generator(SEED);
    const foreign = new Set(Object.values(traces().running).flat());
    const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(number, random));
    await Promise.all(clients.map((client) => client.work(30)));
    const containers = await shown();
    const breaches = clients.flatMap((client) => [...client.complaints, ...client.look(containers)]);
    expect([...breaches, ...(await settled(containers, foreign))]).toEqual([]);
    for (const { id } of await shown()) await part.remove(id);
    expect(await settled([], foreign)).toEqual([]);
  },
  PATIENCE,
);

describe("kill -9 of the daemon", () => {
  test(
    `E1: at any moment loses nothing that was acknowledged and revives nothing that was removed (seed ${SEED})`,
    async () => {
      const random = generator(SEED);
      const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(number, random));
      const foreign = new Set(Object.values(traces().running).flat());
      const breaches: string[] = [];
      const starts: number[] = [];
      for (let round = 0; round < ROUNDS && breaches.length === 0; round++) {
        const working = clients.map((client) => client.work());
        await Bun.sleep(LIFE.least + random() * (LIFE.most - LIFE.least));
        await part.daemon.kill();
        await Promise.all(working);
        const began = performance.now();
        await part.daemon.start();
        starts.push(performance.now() - began);
        const containers = await shown();
        breaches.push(
          ...clients.flatMap((client) => [...client.look(containers), ...client.complaints.splice(0)]),
        );
        // In every second round the clients are back at once, while the daemon still settles what it found.
        if (round % 2 === 0) breaches.push(...(await settled(containers, foreign)));
        if (breaches.length > 0) breaches.unshift(`in round ${round}:`);
      }
      process.stderr.write(`start after kill -9: ${Math.max(...starts).toFixed(0)} ms at most\n`);
      expect(breaches).toEqual([]);
      for (const { id } of await shown()) await part.remove(id);
      expect(await settled([], foreign)).toEqual([]);
    },
    PATIENCE,
  );
});

test(
  "E9: what daemon and container leave when both are killed is gone with the next daemon",
  async () => {
    const foreign = new Set(Object.values(traces().running).flat());
    const mounts = readFileSync("/proc/self/mountinfo", "utf8");
    const containers = [];
    for (const host of [{}, { PortBindings: { "80/tcp": [{ HostPort: "" }] } }, { NetworkMode: "host" }])
      containers.push(await part.start(["sleep", "600"], host));
    await part.daemon.kill();
    for (const { pid } of containers) {
      process.kill(
        Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]),
        "SIGKILL",
      );
      process.kill(pid, "SIGKILL");
    }
    await part.daemon.start();
    const found = await shown();
    expect(found.map(({ status }) => status)).toEqual(["exited", "exited", "exited"]);
    expect(await settled(found, foreign)).toEqual([]);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(mounts);
    for (const { id } of found) await part.remove(id);
    expect(await settled([], foreign)).toEqual([]);
  },
  PATIENCE,
);

/** What is still wrong once the daemon has had the time to settle it. */
async function settled(containers: readonly Belief[], foreign: ReadonlySet<string>): Promise<string[]> {
  for (const deadline = Date.now() + 5000; ; await Bun.sleep(20)) {
    const wrong = leftovers(containers, foreign);
    if (wrong.length === 0 || Date.now() > deadline) return wrong;
  }
}
