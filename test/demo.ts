/**
 * The tour: a daemon on throw-away roots, one container that serves a page, a look at it, and everything gone
 * again. Each command is printed as it is run. Where no registry can be reached the embedded image serves.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setUp } from "./setup.ts";

const BUNKER = `${import.meta.dir}/../dist/bunker`;
/** Seconds that Docker Hub has to answer. */
const PATIENCE_SECONDS = 120;

if (process.getuid?.() !== 0) {
  process.stderr.write(
    "demo: this makes containers and needs root; run it as root, for instance with sudo\n",
  );
  process.exit(1);
}
await setUp();
await using undo = new AsyncDisposableStack();
const root = await mkdtemp(join(tmpdir(), "bunker-demo-"));
undo.defer(() => rm(root, { recursive: true, force: true }));
const environment = { ...process.env, BUNKER_HOST: `unix://${root}/run/bunker.sock` };
const port = await freePort(8020);

await startDaemon();
const image = await chooseImage();
await show(["run", "-d", "--name", "web", "-p", `${port}:80`, image]);
undo.defer(() => run(["rm", "-f", "web"]).then(() => undefined));
say(`$ curl http://127.0.0.1:${port}/`);
process.stdout.write(`${(await page(`http://127.0.0.1:${port}/`)).slice(0, 400).trim()}\n\n`);
await show(["ps"]);
await show(["logs", "web"]);
if (image === "httpd") await show(["exec", "web", "httpd", "-v"]);
await show(["stats", "--no-stream", "web"]);
await show(["stop", "web"]);
await show(["ps", "--all"]);
await show(["rm", "web"]);
process.stdout.write(
  "\nThat was bunker. The container, its image, the daemon and their folders are removed again.\n",
);

async function startDaemon(): Promise<void> {
  const args = [
    "--data-root",
    `${root}/data`,
    "--exec-root",
    `${root}/run`,
    "--bridge",
    "bunkerdemo0",
    "--log-level",
    "warn",
  ];
  say(`$ bunker daemon ${args.join(" ")} &`);
  const daemon = Bun.spawn([BUNKER, "daemon", ...args], { stdio: ["ignore", "inherit", "inherit"] });
  undo.defer(async () => {
    daemon.kill("SIGTERM");
    await daemon.exited;
  });
  say(`$ export BUNKER_HOST=${environment.BUNKER_HOST}`);
  for (let tries = 0; tries < 200; tries++) {
    if ((await run(["version"])).code === 0) return void process.stdout.write("\n");
    if (daemon.exitCode !== null) break;
    await Bun.sleep(50);
  }
  throw new Error("The daemon did not start; what it said stands above");
}

/** httpd from Docker Hub, or the image that bunker carries. */
async function chooseImage(): Promise<string> {
  say("$ bunker pull httpd");
  const child = Bun.spawn([BUNKER, "pull", "httpd"], {
    env: environment,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "pipe",
    timeout: PATIENCE_SECONDS * 1000,
  });
  const [reason, code] = await Promise.all([child.stderr.text(), child.exited]);
  if (code === 0) return "httpd";
  process.stdout.write(
    `${reason}\nNo registry can be reached from here, so the tour goes on with bunker/demo, a small image that the\nexecutable carries; it takes the very same path.\n\n`,
  );
  return "bunker/demo";
}

async function show(args: string[]): Promise<void> {
  say(`$ bunker ${args.join(" ")}`);
  const { code, output } = await run(args);
  process.stdout.write(`${output}\n`);
  if (code !== 0) throw new Error(`bunker ${args[0]} ended with ${code}`);
}

async function run(args: string[]): Promise<{ code: number; output: string }> {
  const child = Bun.spawn([BUNKER, ...args], {
    env: environment,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, output: err + out };
}

/** The server in the container has just been started: it gets a few seconds to listen. */
async function page(address: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      return await (await fetch(address, { signal: AbortSignal.timeout(5000) })).text();
    } catch (thrown) {
      if (tries === 50) throw thrown;
      await Bun.sleep(100);
    }
  }
}

async function freePort(wanted: number): Promise<number> {
  for (const port of [wanted, 0]) {
    const taken = await new Promise<number | undefined>((resolve) => {
      const server = createServer().once("error", () => resolve(undefined));
      server.listen(port, "0.0.0.0", () => {
        const address = server.address();
        server.close(() =>
          resolve(typeof address === "object" && address !== null ? address.port : undefined),
        );
      });
    });
    if (taken !== undefined) return taken;
  }
  throw new Error("Cannot find a free port for the demo");
}

function say(line: string): void {
  process.stdout.write(`${process.stdout.isTTY ? `\u001b[1m${line}\u001b[0m` : line}\n`);
}
