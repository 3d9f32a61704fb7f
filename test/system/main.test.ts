import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { run, TestDaemon } from "../fixtures/daemon.ts";
import {
  busyboxImage,
  cachedImage,
  httpdImage,
  startRegistry,
  type TarEntry,
  type TestRegistry,
  tar,
} from "../fixtures/index.ts";

const MINUTES = 60_000;
let registry: TestRegistry;
let daemon: TestDaemon;

beforeAll(async () => {
  registry = await startRegistry({
    "library/busybox": await busyboxImage(),
    "library/httpd": await httpdImage(),
  });
  daemon = await TestDaemon.start({ args: ["--registry-mirror", registry.url] });
  await daemon.ok("pull", "--quiet", "busybox");
}, 10 * MINUTES);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
}, 2 * MINUTES);

/** Apache may take a moment to listen. */
async function page(url: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      return await (await fetch(url, { signal: AbortSignal.timeout(2000) })).text();
    } catch (thrown) {
      if (tries === 100) throw thrown;
      await Bun.sleep(50);
    }
  }
}

describe("the main job", () => {
  test(
    "run -d -p serves Apache's page from the image of a registry",
    async () => {
      const id = await daemon.ok("run", "-d", "--name", "web", "-p", "8020:80", "httpd");
      expect(id).toMatch(/^[0-9a-f]{64}$/);
      expect(await page("http://127.0.0.1:8020/")).toContain("Apache2 Debian Default Page");
      expect(await daemon.ok("ps")).toMatch(/web/);
      expect(await daemon.ok("port", "web")).toContain("80/tcp -> 0.0.0.0:8020");
      expect(await daemon.ok("stop", "web")).toBe("web");
      expect(await daemon.ok("ps", "-a", "--format", "{{.Names}} {{.State}}")).toBe("web exited");
      expect(await daemon.ok("rm", "web")).toBe("web");
    },
    MINUTES,
  );

  test("run passes output and exit code through", async () => {
    expect(
      await daemon.cli("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7"),
    ).toMatchObject({
      code: 7,
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  test("standard input reaches the program, with its end", async () => {
    const words = [daemon.command[0] ?? "", "run", "-i", "--rm", "busybox", "wc", "-c"];
    const input = new Uint8Array(300_000).fill(97);
    const { stdout, code } = await run(words, { BUNKER_HOST: `unix://${daemon.socket}` }, input);
    expect([code, stdout.trim()]).toEqual([0, "300000"]);
  });

  test(
    "a container outlives kill -9 of the daemon: log, exit code and attach",
    async () => {
      const script = "i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); usleep 5000; done; exit 3";
      const id = await daemon.ok("run", "-d", "--name", "steady", "busybox", "sh", "-c", script);
      const inspect = async () => JSON.parse(await daemon.ok("inspect", "steady"))[0];
      const { Pid } = (await inspect()).State;
      await daemon.kill();
      await daemon.start();
      expect(await inspect()).toMatchObject({ Id: id, State: { Running: true, Pid } });
      expect(await daemon.ok("wait", "steady")).toBe("3");
      const lines = (await daemon.ok("logs", "steady")).split("\n");
      expect(lines).toEqual(Array.from({ length: 400 }, (_, index) => `line ${index}`));
      await daemon.ok("rm", "steady");
    },
    MINUTES,
  );

  test(
    "an end while no daemon was there is known to the next one",
    async () => {
      await daemon.ok("run", "-d", "--name", "brief", "busybox", "sh", "-c", "sleep 0.3; echo last; exit 42");
      await daemon.kill();
      await Bun.sleep(800);
      await daemon.start();
      const [found] = JSON.parse(await daemon.ok("inspect", "brief"));
      expect(found.State).toMatchObject({ Status: "exited", ExitCode: 42 });
      expect(await daemon.ok("logs", "brief")).toBe("last");
      await daemon.ok("rm", "brief");
    },
    MINUTES,
  );

  test(
    "an image of 128 layers is pulled and run",
    async () => {
      const content = await Bun.file("/bin/busybox").bytes();
      const program: TarEntry = { path: "bin/busybox", content, mode: 0o755 };
      const layers = Array.from({ length: 128 }, (_, index) =>
        tar([{ path: `layers/${index}`, content: "" }, ...(index === 0 ? [program] : [])]),
      );
      const config = { Cmd: ["/bin/busybox", "ls", "/layers"] };
      const image = await cachedImage("deep-1", async () => ({ layers, config }));
      await registry.push("library/deep", image);
      await daemon.ok("pull", "-q", "deep");
      expect((await daemon.ok("run", "--rm", "deep")).split("\n")).toHaveLength(128);
      expect(await daemon.ok("rmi", "deep")).toContain("Deleted");
    },
    MINUTES,
  );

  test(
    "the embedded image runs through the same path",
    async () => {
      await daemon.ok("run", "-d", "--name", "demo", "-p", "127.0.0.1:8021:80", "bunker/demo");
      expect(await page("http://127.0.0.1:8021/")).toContain("It works!");
      expect(await daemon.ok("logs", "demo")).toContain("GET / HTTP/1.1");
      await daemon.ok("rm", "-f", "demo");
    },
    MINUTES,
  );
});
