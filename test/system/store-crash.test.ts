import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, layeredImage, startRegistry, type TestRegistry } from "../fixtures/index.ts";

/** At so many moments, evenly over what the work takes, the daemon is killed. */
const MOMENTS = Number(process.env.BUNKER_TEST_ROUNDS ?? 2);
const IMAGE = { layers: 3, megabytes: 12 };
const DISK_BYTES = 96 * 1024 * 1024;

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startRegistry({
    "library/layered": await layeredImage(IMAGE),
    "library/busybox": await busyboxImage(),
  });
});
afterAll(async () => registry?.[Symbol.asyncDispose]());

/** Broken is what the doctor says is broken, and what lies on disk as a layer that nobody knows. */
async function complaints(daemon: TestDaemon): Promise<string> {
  const { code, stdout, stderr } = await daemon.cli(
    "doctor",
    "--format",
    "{{.Verdict}} {{.Subject}}: {{.Finding}}",
  );
  const lines = stdout.split("\n").filter((line) => line.startsWith("broken") || line.includes("layer "));
  return code === 0 && lines.length === 0 ? "" : `${lines.join("\n")}${stderr}`;
}

describe("a daemon that is killed leaves a store that is whole", () => {
  let daemon: TestDaemon;
  let name: string;
  let folder: string;

  beforeAll(async () => {
    daemon = await TestDaemon.start({ args: ["--registry-mirror", registry.url] });
    name = `${registry.host}/library/layered`;
    folder = await mkdtemp(join(tmpdir(), "bunker-crash-"));
    await daemon.ok("pull", name);
    await daemon.ok("pull", "busybox");
    await daemon.ok("save", "-o", `${folder}/image.tar`, name);
    await daemon.ok(
      "run",
      "--name",
      "box",
      "busybox",
      "sh",
      "-c",
      "for i in $(seq 300); do head -c 9999 /dev/urandom > /f$i; done",
    );
  });
  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const forget = async () => void (await daemon.cli("rmi", "-f", name));
  const works: readonly (readonly [string, () => Promise<unknown>, string[]])[] = [
    ["pull", forget, ["pull", "-q", "@"]],
    ["load", forget, ["load", "-q", "-i", "ARCHIVE"]],
    ["commit", async () => {}, ["commit", "box", "committed"]],
    ["rmi", async () => daemon.ok("pull", "-q", name), ["rmi", "-f", "@"]],
    [
      "gc",
      async () => {
        await daemon.ok("pull", "-q", name);
        await writeFile(`${daemon.dataRoot}/content/sha256/${"b".repeat(64)}`, "rubbish");
      },
      ["gc", "--all"],
    ],
    [
      "push",
      async () => {
        await daemon.ok("pull", "-q", name);
        await daemon.ok("tag", name, `${registry.host}/copy-${crypto.randomUUID()}:latest`);
      },
      ["push", "-q", "COPY"],
    ],
  ];

  test.each(works)("in the middle of %s", async (_verb, prepare, words) => {
    const spelled = async () => {
      const [copy = ""] = (
        await daemon.ok(
          "images",
          "--format",
          "{{.Repository}}",
          "--filter",
          `reference=${registry.host}/copy-*`,
        )
      ).split("\n");
      return words.map(
        (word) => ({ "@": name, ARCHIVE: `${folder}/image.tar`, COPY: `${copy}:latest` })[word] ?? word,
      );
    };
    await prepare();
    const started = performance.now();
    await daemon.ok(...(await spelled()));
    const whole = performance.now() - started;
    for (let moment = 1; moment <= MOMENTS; moment++) {
      await prepare();
      const working = daemon.cli(...(await spelled()));
      await Bun.sleep((whole * (moment - 0.5)) / MOMENTS);
      await daemon.kill();
      await working;
      await daemon.start();
      expect(`killed after ${moment} of ${MOMENTS}: ${await complaints(daemon)}`).toEndWith(": ");
    }
    await daemon.ok("pull", "-q", name);
    expect(await daemon.ok("run", "--rm", "--network", "none", name, "sh", "-c", "echo works")).toBe("works");
  });
});

describe("a disk that is full", () => {
  let daemon: TestDaemon;
  let folder: string;
  const undo = new AsyncDisposableStack();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bunker-full-"));
    undo.defer(() => rm(folder, { recursive: true, force: true }));
    await mkdir(`${folder}/disk`);
    await writeFile(`${folder}/disk.img`, "");
    await truncate(`${folder}/disk.img`, DISK_BYTES);
    await must("mkfs.ext4", "-q", `${folder}/disk.img`);
    await must("mount", "-o", "loop", `${folder}/disk.img`, `${folder}/disk`);
    undo.defer(() => must("umount", "--lazy", `${folder}/disk`));
    daemon = undo.use(
      await TestDaemon.start({
        args: ["--registry-mirror", registry.url],
        directory: `${folder}/disk`,
        comparesHost: false,
      }),
    );
    await daemon.ok("pull", "busybox");
    await daemon.ok("create", "--name", "box", "busybox", "sh", "-c", "head -c 30000000 /dev/urandom > /big");
    await daemon.ok("start", "-a", "box");
  });
  afterAll(() => undo.disposeAsync());

  test("ends pull, load, import and commit with a sentence, loses nothing, and all goes on when there is room", async () => {
    const archive = `${folder}/image.tar`;
    await using other = await TestDaemon.start({
      args: ["--registry-mirror", registry.url],
      comparesHost: false,
    });
    await other.ok("pull", "layered");
    await other.ok("save", "-o", archive, "layered");
    await using filler = { [Symbol.asyncDispose]: () => rm(`${daemon.root}/filler`, { force: true }) };
    // As much as leaves a few megabytes.
    await must(
      "sh",
      "-c",
      `fallocate -l $(( $(df --output=avail -B1 "$1" | tail -1) - 6000000 )) "$1/filler"`,
      "sh",
      daemon.root,
    );
    for (const words of [
      ["pull", "layered"],
      ["load", "-i", archive],
      ["import", archive, "imported"],
      ["commit", "box", "committed"],
    ]) {
      const { code, stdout, stderr } = await daemon.cli(...words);
      expect([words[0], code]).toEqual([words[0], 1]);
      expect(`${stdout}${stderr}`).toMatch(/no space|ENOSPC|disk is full/i);
      expect(`${words[0]}: ${await complaints(daemon)}`).toBe(`${words[0]}: `);
    }
    expect((await daemon.ok("images", "--format", "{{.Repository}}")).split("\n")).toEqual(["busybox"]);
    await filler[Symbol.asyncDispose]();
    await daemon.ok("rm", "box");
    await daemon.ok("pull", "layered");
    expect(await daemon.ok("run", "--rm", "--network", "none", "layered", "sh", "-c", "echo works")).toBe(
      "works",
    );
    expect(await complaints(daemon)).toBe("");
  });
});

async function must(...command: string[]): Promise<void> {
  const { code, stderr } = await run(command);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${stderr}`);
}
