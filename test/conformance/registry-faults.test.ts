import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { utimes } from "node:fs/promises";
import { Fault } from "#errors";
import { MEDIA } from "#oci";
import { LIMITS, type Limits } from "#registry";
import { FakeClock } from "../fakes/clock.ts";
import {
  breaksAnswer,
  changes,
  type Exchange,
  FaultyProxy,
  fallsSilent,
  type ProxyFault,
  says,
  strikes,
} from "../fakes/faulty-proxy.ts";
import { FakeRegistry } from "../fakes/registry.ts";
import { scratch } from "../fakes/scratch.ts";
import { type Asked, FaultBench, OPERATIONS, type Operation } from "../fixtures/fault-bench.ts";
import { layeredImage, requirePackages, startRegistry, type TestRegistry } from "../fixtures/index.ts";
import { serveStore } from "../unit/registry/server/served-store.ts";

const DAY = 24 * 3600 * 1000;
const isRoot = process.getuid?.() === 0;
const SECRET = "correct horse";
const ALWAYS = Number.POSITIVE_INFINITY;
const BASIC = 'Basic realm="r"';

/** Where an operation is hit: the method and a part of the path. */
type Place = readonly [string, string];
/** "on": it rides it out. A pattern: it fails, and says so. */
type Outcome = "on" | RegExp;

interface Row {
  readonly fault: string;
  readonly strike: (place: Place, proxy: FaultyProxy) => readonly ProxyFault[];
  /** What is not named makes no sense with this fault. */
  readonly outcomes: Partial<Record<Operation, Outcome>>;
  readonly limits?: Partial<Limits>;
  /** Milliseconds that must have been waited for because the registry asked for it. */
  readonly waits?: number;
}

const all = (outcome: Outcome) => Object.fromEntries(OPERATIONS.map((one) => [one, outcome]));

/** The request's own body breaks off half-way where there is one, else the answer does. */
const breaks = (exchange: Exchange) =>
  exchange.incoming.method === "PATCH" ? exchange.forwardPart(50_000) : breaksAnswer(exchange);
const breaksAtOnce = (exchange: Exchange) =>
  exchange.incoming.method === "PATCH" ? exchange.incoming.socket.destroy() : breaksAnswer(exchange);
const flipped = (bytes: Buffer) => bytes.map((byte, at) => (at === bytes.length - 3 ? byte ^ 1 : byte));

const ROWS: readonly Row[] = [
  {
    fault: "the line breaks in the middle",
    strike: (place) => [strikes(1, place, breaks)],
    outcomes: { ...all("on"), login: /connection to .* failed/ },
  },
  {
    fault: "the line breaks each time",
    strike: (place) => [strikes(ALWAYS, place, breaksAtOnce)],
    outcomes: { ...all(/connection to .* failed: it was closed in the middle/) },
  },
  {
    fault: "429, Retry-After: 1",
    strike: (place) => [strikes(1, place, says(429, { "Retry-After": "1" }))],
    outcomes: { ...all("on"), login: /failed with status 429/ },
    waits: 1000,
  },
  {
    fault: "429, Retry-After: an hour",
    strike: (place) => [strikes(ALWAYS, place, says(429, { "Retry-After": "3600" }))],
    outcomes: { ...all(/asks to be left alone for 3600 seconds/), login: /failed with status 429/ },
  },
  {
    fault: "500 three times",
    strike: (place) => [strikes(3, place, says(500))],
    outcomes: { ...all("on"), login: /failed with status 500/ },
  },
  {
    fault: "503 for ever",
    strike: (place) => [strikes(ALWAYS, place, says(503))],
    outcomes: all(/503/),
  },
  {
    fault: "it falls silent",
    strike: (place) => [strikes(1, place, fallsSilent)],
    outcomes: { ...all("on"), login: /sent nothing for 1.5 seconds/ },
    limits: { silence: 1500 },
  },
  {
    fault: "less than it promised",
    strike: (place) => [
      strikes(
        1,
        place,
        changes((bytes) => bytes.subarray(0, bytes.length - 9)),
      ),
    ],
    outcomes: { pull: "on", manifest: /manifest verification failed/, search: /what was found/ },
  },
  {
    fault: "more than it promised",
    strike: (place) => [
      strikes(
        1,
        place,
        changes((bytes) => Buffer.concat([bytes, Buffer.from("more")])),
      ),
    ],
    outcomes: {
      pull: /longer than the declared/,
      manifest: /manifest verification failed/,
      search: /what was found/,
    },
  },
  {
    fault: "other bytes",
    strike: (place) => [strikes(1, place, changes(flipped))],
    outcomes: {
      pull: /verification failed/,
      manifest: /manifest verification failed/,
      search: /what was found/,
    },
  },
  {
    fault: "a redirect to another host",
    strike: (place, proxy) => [
      demandsPassword,
      strikes(1, place, ({ incoming, response }) => elsewhere(proxy, { incoming, response })),
    ],
    outcomes: { pull: "on", push: /redirects a request whose content/, manifest: "on" },
  },
  {
    fault: "the token ends in the middle",
    strike: (place, proxy) => demandsToken(proxy, place),
    outcomes: { pull: "on", push: "on", manifest: "on" },
  },
  {
    fault: "nobody is there",
    strike: () => [({ incoming }) => incoming.socket.destroy() !== undefined],
    outcomes: all(/connection to .* failed/),
  },
];

/** Whatever comes without a password is asked for one. */
function demandsPassword({ incoming, response }: Exchange): boolean {
  if (incoming.headers.authorization !== undefined) return false;
  incoming.resume();
  incoming.on("end", () => response.writeHead(401, { "WWW-Authenticate": BASIC }).end());
  return true;
}

/** What is asked without a password is turned away anyhow. */
function onceLetIn(fault: ProxyFault): ProxyFault {
  return (exchange) => exchange.incoming.headers.authorization !== undefined && fault(exchange);
}

/** Another host that has what the proxy has, and is shown no password. */
let other: { readonly proxy: FaultyProxy; readonly leaks: string[] };
async function elsewhere(_: FaultyProxy, { incoming, response }: Pick<Exchange, "incoming" | "response">) {
  // Its sender goes away without having sent it all.
  incoming.on("error", () => undefined).resume();
  response.writeHead(307, { Location: `http://${other.proxy.host}${incoming.url}` }).end();
}

/** A token service whose token is taken back when the place is reached for the first time. */
function demandsToken(proxy: FaultyProxy, place: Place): readonly ProxyFault[] {
  let given = 0;
  let valid = 0;
  const challenge = { "WWW-Authenticate": `Bearer realm="http://${proxy.host}/token",service="s"` };
  return [
    ({ incoming, response }) => {
      if (!incoming.url?.startsWith("/token")) return false;
      given += 1;
      valid = given;
      response.end(JSON.stringify({ token: `t${given}` }));
      return true;
    },
    strikes(1, place, (exchange) => {
      // The first word of a talk has no token yet: then it is the second that is refused.
      valid = given === 0 ? 2 : 0;
      says(401, challenge)(exchange);
    }),
    (exchange) => {
      if (exchange.incoming.headers.authorization === `Bearer t${valid}`) {
        delete exchange.incoming.headers.authorization;
        return false;
      }
      says(401, challenge)(exchange);
      return true;
    },
  ];
}

describe.skipIf(!isRoot)(`faults of a registry${isRoot ? "" : " (skipped: needs root)"}`, () => {
  const undo = new AsyncDisposableStack();
  const table = new Map<string, Partial<Record<Operation, string>>>();
  let registry: TestRegistry;
  let ours: Awaited<ReturnType<typeof serveStore>>;
  let layer: string;
  let pulling: FaultBench;
  let pushing: FaultBench;
  let count = 0;

  beforeAll(async () => {
    await requirePackages(["docker-registry"]);
    const image = await layeredImage({ layers: 2, megabytes: 1 });
    layer = image.layers[0]?.digest ?? "";
    registry = undo.use(await startRegistry({ "library/app": image }));
    const folder = undo.use(await scratch());
    await Bun.write(
      `${folder.path}/users`,
      `me:${await Bun.password.hash(SECRET, { algorithm: "bcrypt", cost: 4 })}\n`,
    );
    ours = undo.use(await serveStore({ users: `${folder.path}/users` }));
    await ours.store.repositories.setTag("app", "1", image.manifest.digest);
    pulling = undo.use(await FaultBench.open());
    pushing = undo.use(await FaultBench.open());
    const proxy = undo.use(await FaultyProxy.before(registry.url));
    const leaks: string[] = [];
    proxy.faults.push(({ incoming }) => {
      if (incoming.headers.authorization !== undefined) leaks.push(incoming.url ?? "");
      return false;
    });
    other = { proxy, leaks };
    await pushing.run("pull", asked(proxy, "library/app:latest"));
    leaks.length = 0;
  });

  afterAll(async () => {
    await undo.disposeAsync();
    process.stdout.write(`\n${tableText(table)}\n`);
  });

  function asked({ host }: Pick<FaultyProxy, "host">, path: string, limits: Partial<Limits> = {}): Asked {
    return {
      host,
      path,
      limits: { firstDelay: 1, ...limits },
      clock: new FakeClock(Date.now()),
      password: SECRET,
    };
  }

  /** What an operation asks, where it is hit, and what holds afterwards: everything, or what was before. */
  async function prepare(operation: Operation, proxy: FaultyProxy) {
    count += 1;
    const own = `push/app${count}`;
    const bench = operation === "push" ? pushing : pulling;
    if (operation === "push")
      await pushing.tag(`${other.proxy.host}/library/app:latest`, `${proxy.host}/${own}:latest`);
    const places: Record<Operation, Place> = {
      pull: ["GET", `/blobs/${layer}`],
      push: ["PATCH", "/uploads/"],
      manifest: ["GET", "/manifests/"],
      login: ["GET", "/v2/"],
      search: ["GET", "/v1/search"],
    };
    const path = operation === "push" ? `${own}:latest` : "library/app:latest";
    return {
      bench,
      path,
      place: places[operation],
      /** Whether the far side has the whole. */
      async arrived(): Promise<boolean> {
        if (operation !== "push") return true;
        const headers = { Accept: MEDIA.ociManifest };
        const manifest = await fetch(`${registry.url}/v2/${own}/manifests/latest`, { headers });
        return manifest.ok;
      },
    };
  }

  async function forget(
    operation: Operation,
    { host, path }: { readonly host: string; readonly path: string },
  ) {
    const bench = operation === "push" ? pushing : pulling;
    if (operation === "pull" || operation === "push") await bench.forget(`${host}/${path}`);
  }

  const CELLS = ROWS.flatMap((row) =>
    OPERATIONS.flatMap((operation) => {
      const outcome = row.outcomes[operation];
      return outcome === undefined ? [] : [[row.fault, operation, outcome, row] as const];
    }),
  );

  test.each(CELLS)("%s: %s", async (fault, operation, outcome, row) => {
    const isOurs = operation === "login" || operation === "search";
    await using proxy = await FaultyProxy.before(isOurs ? ours.server.url : registry.url);
    const { bench, path, place, arrived } = await prepare(operation, proxy);
    const before = await bench.state();
    const faults = row.strike(place, proxy);
    proxy.faults.push(...(operation === "search" ? faults.map(onceLetIn) : faults));
    const errand = asked(proxy, path, row.limits);
    const thrown = await bench.run(operation, errand).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (outcome === "on") {
      if (thrown !== undefined) throw thrown;
      expect(await arrived()).toBe(true);
      if (row.waits !== undefined) expect(errand.clock.slept).toContain(row.waits);
    } else {
      expect(thrown).toBeInstanceOf(Fault);
      expect((thrown as Fault).message).toMatch(outcome);
      // As it was: neither a tag at the far side nor anything of the image here.
      if (operation === "push") expect(await arrived()).toBe(false);
      expect(await bench.state()).toEqual(before);
    }
    expect(other.leaks).toEqual([]);
    // And it comes right as soon as the fault is gone.
    proxy.faults.length = 0;
    if (outcome !== "on") await bench.run(operation, asked(proxy, path));
    expect(await arrived()).toBe(true);
    await forget(operation, { host: proxy.host, path });
    expect(await pulling.state()).toEqual([]);
    expect(await pulling.partial()).toEqual([]);
    table.set(fault, { ...table.get(fault), [operation]: outcome === "on" ? "goes on" : "fails, says why" });
  });

  test("a mirror that is down: the next one is asked", async () => {
    await using proxy = await FaultyProxy.before(registry.url);
    await using gone = await FakeRegistry.start();
    const nobody = gone.url;
    await gone[Symbol.asyncDispose]();
    const errand = { ...asked(proxy, "app:latest"), host: "", mirrors: [nobody, `http://${proxy.host}`] };
    await pulling.run("pull", errand);
    await pulling.run("manifest", errand);
    await pulling.forget("app:latest");
    expect(await pulling.state()).toEqual([]);
    table.set("a mirror is down", { pull: "goes on", manifest: "goes on" });
  });

  test("what a broken pull has brought outlives the engine, and is taken up by Range", async () => {
    await using proxy = await FaultyProxy.before(registry.url);
    await using folder = await scratch();
    const limits = { attempts: 1, breaks: 1 };
    proxy.faults.push(strikes(ALWAYS, ["GET", `/blobs/${layer}`], breaksAnswer));
    {
      await using before = await FaultBench.open(folder.path);
      await expect(before.run("pull", asked(proxy, "library/app:latest", limits))).rejects.toThrow(
        "in the middle",
      );
    }
    proxy.faults.length = 0;
    proxy.requests.length = 0;
    await using after = await FaultBench.open(folder.path);
    // What was on its way beside it when the pull failed may be there as well.
    expect(await after.partial()).toContain(layer.replace(":", "-"));
    await after.run("pull", asked(proxy, "library/app:latest"));
    const resumed = proxy.requests.find(({ path }) => path.includes(layer));
    expect(resumed?.headers.range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(await after.partial()).toEqual([]);
  });

  test("what nobody went on with for a week is swept", async () => {
    await using folder = await scratch();
    await using bench = await FaultBench.open(folder.path);
    const name = (digit: string) => `sha256-${digit.repeat(64)}`;
    for (const [digit, days] of [
      ["a", 6],
      ["b", 8],
    ] as const) {
      const path = `${folder.path}/content/partial/${name(digit)}`;
      await Bun.write(path, "half");
      const then = new Date(Date.now() - days * DAY);
      await utimes(path, then, then);
    }
    await bench.graph.sweep(new Set());
    expect(await bench.partial()).toEqual([name("a")]);
  });

  test("delays grow and have an end", () => {
    expect([LIMITS.attempts, LIMITS.breaks]).toEqual([5, 5]);
    expect(LIMITS.longestDelay).toBe(60_000);
  });
});

/** Every fault and operation, and that nothing was lost: as Markdown. */
function tableText(table: ReadonlyMap<string, Partial<Record<Operation, string>>>): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rows = [...table].map(([fault, cells]) =>
    line([fault, ...OPERATIONS.map((one) => cells[one] ?? "–"), "nothing"]),
  );
  return [
    line(["fault", ...OPERATIONS, "lost"]),
    line(["fault", ...OPERATIONS, "lost"].map(() => "---")),
    ...rows,
  ].join("\n");
}
