import { mkdir } from "node:fs/promises";
import { type Digest, sha256 } from "#oci";
import { BUNKER, run } from "../fixtures/daemon.ts";
import { median, note, proportionalMegabytes, type Row } from "./measure.ts";
import { goOn } from "./stopping.ts";

const CLIENTS = 16;
const SECONDS = 3;
/** How often a registry is weighed while it serves. */
const WEIGHING_MILLISECONDS = 100;
const NAME = "bench/blobs";
/** Configurations and small layers; and layers as a distribution's base image has them. */
const SIZES = [
  { what: "small blobs (4 kB)", bytes: 4096, count: 200 },
  { what: "large blobs (4 MB)", bytes: 4_000_000, count: 12 },
] as const;
/** Asks for one path after the other, and says at the end what it got. Source: wrk, SCRIPTING. */
const SCRIPT = `
local paths, at = {}, 0
function init(words) for line in io.lines(words[1]) do paths[#paths + 1] = line end end
function request() at = at % #paths + 1 return wrk.format("GET", paths[at]) end
function done(summary)
  local e = summary.errors
  io.write(string.format("\\n%d %d %d\\n", summary.requests, summary.duration, e.status + e.read + e.write + e.connect + e.timeout))
end
`;

/** A registry in the race. */
interface Served extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
}

/** Blobs that 16 clients pull from a private registry, and what it weighs at its largest meanwhile. */
export async function registry(root: string, rounds: number): Promise<Row[]> {
  await using undo = new AsyncDisposableStack();
  const contestants = [undo.use(await ours(`${root}/own`)), undo.use(await debians(`${root}/debian`))];
  const script = `${root}/pull.lua`;
  await Bun.write(script, SCRIPT);
  const peaks: Record<string, number[]> = {};
  const rows: Row[] = [];
  for (const { what, bytes, count } of SIZES) {
    const digests = await fill(contestants, { bytes, count });
    const paths = `${root}/${bytes}.txt`;
    await Bun.write(paths, digests.map((digest) => `/v2/${NAME}/blobs/${digest}\n`).join(""));
    const rates: Record<string, number[]> = {};
    for (let round = -1; round < rounds; round++)
      for (const { name, url, pid } of contestants) {
        const weighing = setInterval(
          async () => note(peaks, name, await proportionalMegabytes(pid).catch(() => 0)),
          WEIGHING_MILLISECONDS,
        );
        const rate = await pullAll(url, [script, paths]).finally(() => clearInterval(weighing));
        if (round >= 0) note(rates, name, rate);
      }
    rows.push({
      what: `${what} pulled by ${CLIENTS} clients`,
      unit: "/s",
      isRate: true,
      values: each(rates, median),
      goal: { of: "docker-registry", ratio: 1 },
    });
  }
  const values = each(peaks, (list) => Math.max(...list));
  return [
    ...rows,
    {
      what: "the server at its largest meanwhile, proportional memory",
      unit: "MB",
      values,
      goal: { most: 100 },
    },
  ];
}

function each(
  values: Readonly<Record<string, readonly number[]>>,
  sum: (list: readonly number[]) => number,
): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, list]) => [name, sum(list)]));
}

async function ours(data: string): Promise<Served> {
  const port = await freePort();
  const words = ["registry", "serve", "--listen", `127.0.0.1:${port}`, "--data", data];
  return serve("bunker", port, [BUNKER, ...words]);
}

/** With the cache of Debian's own configuration, and without a log. JSON is YAML. */
async function debians(data: string): Promise<Served> {
  const port = await freePort();
  await mkdir(data);
  const configuration = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: data }, cache: { blobdescriptor: "inmemory" } },
    http: { addr: `127.0.0.1:${port}` },
  };
  await Bun.write(`${data}.json`, JSON.stringify(configuration));
  return serve("docker-registry", port, ["docker-registry", "serve", `${data}.json`]);
}

async function freePort(): Promise<number> {
  using server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  return server.port;
}

async function serve(name: string, port: number, command: readonly string[]): Promise<Served> {
  const words = ["setpriv", "--pdeathsig", "KILL", "--", ...command];
  const child = Bun.spawn(words, { stdio: ["ignore", "ignore", "ignore"] });
  const url = `http://127.0.0.1:${port}`;
  const served: Served = {
    name,
    url,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
  await using undo = new AsyncDisposableStack();
  undo.use(served);
  while (
    !(await fetch(`${url}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    goOn();
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    await Bun.sleep(50);
  }
  undo.move();
  return served;
}

/** The same blobs for all. Source: OCI distribution specification 1.1, "Pushing a blob monolithically", POST then PUT. */
async function fill(
  contestants: readonly Served[],
  { bytes, count }: { readonly bytes: number; readonly count: number },
): Promise<readonly Digest[]> {
  const digests: Digest[] = [];
  for (let number = 0; number < count; number++) {
    const blob = Buffer.allocUnsafe(bytes);
    for (let at = 0; at < bytes; at += 65_536) crypto.getRandomValues(blob.subarray(at, at + 65_536));
    const digest = sha256(blob);
    digests.push(digest);
    for (const { url } of contestants) {
      const begun = await fetch(`${url}/v2/${NAME}/blobs/uploads/`, { method: "POST" });
      const target = new URL(begun.headers.get("location") ?? "", url);
      target.searchParams.set("digest", digest);
      const { status } = await fetch(target.href, { method: "PUT", body: blob });
      if (status !== 201) throw new Error(`${url} answered ${status} to a blob`);
    }
  }
  return digests;
}

/** Blobs a second, over connections that are kept. */
async function pullAll(url: string, [script, paths]: readonly [string, string]): Promise<number> {
  goOn();
  const how = ["-t", "2", "-c", String(CLIENTS), "-d", `${SECONDS}s`, "--timeout", "20s"];
  const { code, stdout, stderr } = await run(["wrk", ...how, "-s", script, url, "--", paths]);
  goOn();
  const [, requests = 0, microseconds = 0, errors = 0] =
    /^(\d+) (\d+) (\d+)$/m.exec(stdout)?.map(Number) ?? [];
  if (code !== 0 || requests === 0 || errors > 0)
    throw new Error(`wrk ended with ${code} and ${errors} errors: ${stderr || stdout}`);
  return requests / (microseconds / 1e6);
}
