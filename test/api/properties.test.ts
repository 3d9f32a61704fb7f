import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import fc from "fast-check";
import { createApp } from "#server";
import { JOBS } from "../fakes/answering-jobs.ts";
import { appOver, JSON_TYPE } from "../fakes/app-over.ts";
import { fakeEngine } from "../fakes/jobs.ts";
import { Client, FACTS, served } from "../fakes/served.ts";

/** BUNKER_SEED repeats a run; a failure prints the one it had. */
const SEED = Number(process.env.BUNKER_SEED ?? Date.now() % 2 ** 31);
const RUNS = { seed: SEED, numRuns: 300 };
const ON_SOCKETS = { seed: SEED, numRuns: 60 };
const MINUTE = 60_000;

const ROUTES = createApp({ engine: fakeEngine({}), facts: FACTS }).routes.filter(
  ({ method }) => method !== "ALL",
);
const WEIRD = [
  "..",
  ".",
  "%2e%2e",
  "%2f",
  "%2F..%2F",
  "%00",
  "%",
  "%zz",
  "%ff",
  "\u{1f4a9}",
  "a".repeat(5000),
  " ",
  "?",
  "#",
];

const part = fc.oneof(
  fc.constantFrom("web", "e", "httpd", ...WEIRD),
  fc.string({ maxLength: 20 }).map(encodeURIComponent),
  fc.string({ unit: "binary", maxLength: 20 }).map((text) => encodeURIComponent(text.toWellFormed())),
);
/** A route with its holes filled by anything. */
const target = fc
  .tuple(fc.constantFrom(...ROUTES), fc.array(part, { minLength: 2, maxLength: 2 }))
  .map(([{ method, path }, parts]) => ({
    method,
    path: path.replace(/:\w+(?:\{[^}]*\})?/g, () => parts.pop() ?? "x").replace(/[?# ]/g, encodeURIComponent),
  }));
const anywhere = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"),
  path: fc
    .array(part, { maxLength: 6 })
    .map((parts) => `/${parts.join("/").replace(/[?# ]/g, encodeURIComponent)}`),
});

const KEYS =
  "all filters limit since until t signal name h w stdout stderr tail condition stream platform type fromImage".split(
    " ",
  );
const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(2 ** 53, -(2 ** 63), 1e308));
const queryValue = fc.oneof(
  fc.string({ maxLength: 30 }),
  number.map(String),
  fc.json({ maxDepth: 3 }),
  fc.constantFrom("1", "true", "{}", "[]", "null", "\0"),
);
const query = fc
  .dictionary(fc.constantFrom(...KEYS), queryValue, { maxKeys: 4 })
  .map((words) => new URLSearchParams(words).toString());

/** JSON with the names that requests have, and values of any type. */
const NAMES =
  "Image Cmd Env Labels HostConfig Binds Mounts PortBindings Memory NetworkingConfig EndpointsConfig Tty Name Driver IPAM Config Container Healthcheck Ulimits RestartPolicy".split(
    " ",
  );
const { value: json } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, true, false, "", "x", 0, -1, 2 ** 53, 1.5, "80/tcp"),
    fc.string(),
    number,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...NAMES), fc.string()), tie("value"), { maxKeys: 5 }),
  ),
}));
const body = fc.oneof(
  json.map((value) => JSON.stringify(value)),
  fc.string(),
  fc.constantFrom("", "{", "[", "null", '{"Image":', "\ufeff{}", `${"[".repeat(20_000)}`, "9".repeat(50_000)),
);

/** Said no with a reason, or what the routes say; never that it was the server's own fault. */
async function demandPolite(response: Response): Promise<void> {
  const text = await response.text();
  expect(response.status).not.toBe(500);
  if (response.status >= 400 && text !== "")
    expect(JSON.parse(text)).toEqual({ message: expect.stringMatching(/./) });
}

describe(`whatever is asked (seed ${SEED})`, () => {
  const once = (ask: { readonly method: string; readonly path: string }, words: string, text: string) => {
    const hasBody = !["GET", "HEAD", "OPTIONS"].includes(ask.method);
    const init = hasBody ? { body: text, headers: JSON_TYPE } : {};
    return appOver(JOBS).ask(`${ask.method} ${ask.path}?${words}`, init);
  };
  test(
    "a route answers with what it has, or says why not",
    () =>
      fc.assert(
        fc.asyncProperty(target, query, body, async (...asked) => demandPolite(await once(...asked))),
        RUNS,
      ),
    MINUTE,
  );

  test(
    "a path that is none is a 404, or a route after all",
    () =>
      fc.assert(
        fc.asyncProperty(anywhere, query, body, async (...asked) => demandPolite(await once(...asked))),
        RUNS,
      ),
    MINUTE,
  );

  test(
    "unknown fields of a body change nothing",
    () =>
      fc.assert(
        fc.asyncProperty(
          fc.dictionary(
            fc.string().map((name) => `x-${name}`),
            json,
          ),
          async (extra) => {
            const { engine, send } = appOver(JOBS);
            const plain = { Image: "httpd", Cmd: ["true"] };
            expect((await send("POST /containers/create", { ...extra, ...plain })).status).toBe(201);
            expect((await send("POST /containers/create", plain)).status).toBe(201);
            const [first, second] = engine.calls;
            expect(first).toEqual(second as typeof first & object);
          },
        ),
        { ...RUNS, numRuns: 100 },
      ),
    MINUTE,
  );
});

describe(`whatever comes over a socket (seed ${SEED})`, async () => {
  const server = await served(JOBS);
  afterAll(() => server[Symbol.asyncDispose]());
  const isAlive = async () => (await fetch("http://d/_ping", { unix: server.path })).status === 200;
  const descriptors = () => readdirSync("/proc/self/fd").length;

  /** A head as clients write it, with lines that may be anything. */
  const head = fc
    .tuple(
      target,
      query,
      fc.array(
        fc.oneof(
          fc.constantFrom(
            ...[
              "Content-Length: 5",
              "Content-Length: -1",
              "Content-Length: 1e9",
              "Transfer-Encoding: chunked",
            ],
            ...[
              "Transfer-Encoding: x",
              "Expect: 100-continue",
              "Connection: Upgrade",
              "Upgrade: tcp",
              "Upgrade: h2c",
            ],
            ...[
              "Content-Type: application/json",
              "X-Registry-Auth: %%%",
              "Connection: close",
              ": x",
              "\0: x",
              "x",
            ],
          ),
          fc.string({ maxLength: 40 }),
        ),
        { maxLength: 5 },
      ),
    )
    .map(([{ method, path }, words, lines]) =>
      [`${method} ${path}?${words} HTTP/1.1`, "Host: d", ...lines].join("\r\n").concat("\r\n\r\n"),
    );
  const bytes = fc.oneof(
    head,
    fc.tuple(head, body).map(([before, after]) => before + after),
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      "\r\n\r\n",
      "GET",
      "GET / HTTP/9.9\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "\x16\x03\x01\x02\0\x01\0",
    ),
  );

  /** Sends the beginning of it, and goes in the way that it is told. */
  async function visit(text: string, share: number, leaving: "end" | "reset" | "answered"): Promise<void> {
    const all = Buffer.from(text, "utf8");
    const client = new Client(connect({ path: server.path, allowHalfOpen: true }));
    client.socket.write(all.subarray(0, Math.ceil(all.length * share)));
    if (leaving === "answered") client.socket.end();
    else await new Promise(setImmediate);
    if (leaving === "answered") await client.ended();
    client.socket.destroy();
  }

  test(
    "the server goes on, and no descriptor stays",
    async () => {
      expect(await isAlive()).toBe(true);
      const before = descriptors();
      const leaving = fc.constantFrom("end", "reset", "answered" as const);
      await fc.assert(
        fc.asyncProperty(
          bytes,
          fc.double({ min: 0, max: 1, noNaN: true }),
          leaving,
          async (text, share, how) => {
            await visit(text, share, how as "answered");
            expect(await isAlive()).toBe(true);
          },
        ),
        ON_SOCKETS,
      );
      // What the last visitors held is closed in the server's next turns.
      while (descriptors() > before + 2) await isAlive();
      expect(server.engine.list().filter(({ status }) => status === "running")).toEqual([]);
    },
    MINUTE,
  );
});
