import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { launcherPath } from "#libcontainer";
import { type Box, openBox } from "../fixtures/container-box.ts";
import { bindRoot, cannotRun, makeBusyboxRoot } from "../fixtures/runtime-spec.ts";

const reason = cannotRun === undefined ? "" : ` (skipped: ${cannotRun})`;
const digestOf = (path: string) => Bun.CryptoHasher.hash("sha256", readFileSync(path), "hex");
const sh = (script: string) => ["sh", "-c", script];

let box: Box;
let hostile = 0;

/** A root of its own for an image that means harm, and a directory of the host that must stay as it is. */
function hostileRoot(): { readonly root: string; readonly canary: string } {
  const root = `${box.path}/hostile${hostile}`;
  const canary = `${box.path}/canary${hostile++}`;
  mkdirSync(root);
  mkdirSync(canary);
  writeFileSync(`${canary}/secret`, "untouched\n");
  return { root: makeBusyboxRoot(root), canary };
}

function expectUntouched(canary: string): void {
  expect(readdirSync(canary)).toEqual(["secret"]);
  expect(readFileSync(`${canary}/secret`, "utf8")).toBe("untouched\n");
}

describe.skipIf(cannotRun !== undefined)(`a launched container${reason}`, () => {
  beforeAll(async () => {
    box = await openBox();
  });
  afterAll(() => box[Symbol.asyncDispose]());

  test("A1: a program that names /proc/self/exe as its interpreter gets nothing", async () => {
    const { root } = hostileRoot();
    writeFileSync(`${root}/bin/evil`, "#!/proc/self/exe\n", { mode: 0o755 });
    const before = digestOf(launcherPath());
    await box.run(["/bin/evil"], { root: bindRoot(root) }).catch(() => undefined);
    expect(digestOf(launcherPath())).toBe(before);
  });

  test.each(["link", "file", "absent"])(
    "A3: masks do not trust the image's null device: %s",
    async (kind) => {
      const { root, canary } = hostileRoot();
      if (kind === "link") symlinkSync(`${canary}/secret`, `${root}/dev/null`);
      if (kind === "file") writeFileSync(`${root}/dev/null`, "mine\n");
      const { stdout } = await box.run(
        sh("cat /proc/keys /proc/timer_list; echo gone > /proc/keys; echo end"),
        {
          root: bindRoot(root),
          spec: { mounts: [{ destination: "/proc", type: "proc", source: "proc", options: ["nosuid"] }] },
          linux: { devices: [] },
        },
      );
      expect(stdout).toBe("end\n");
      expectUntouched(canary);
    },
  );

  test.each(["dev", "dev/pts", "dev/console", "dev/ptmx"])(
    "A4: a terminal is not made by way of a link at %s",
    async (place) => {
      const { root, canary } = hostileRoot();
      rmSync(`${root}/${place}`, { recursive: true, force: true });
      symlinkSync(place.endsWith("console") ? `${canary}/secret` : canary, `${root}/${place}`);
      const outcome = await box
        .run(sh("ls -l /dev/console | cut -c1; echo $(tty)"), {
          root: bindRoot(root),
          process: { terminal: true },
          stdio: { terminal: true, openStdin: true },
        })
        .catch(() => undefined);
      if (outcome !== undefined) expect(outcome.stdout).toMatch(/^c\r\n.*\/pts\/\d+\r\n$/);
      expectUntouched(canary);
    },
  );

  test("A5: a sysctl goes to the container's own and to no file of the image", async () => {
    const { root, canary } = hostileRoot();
    rmSync(`${root}/proc`, { recursive: true });
    symlinkSync(canary, `${root}/proc`);
    const host = readFileSync("/proc/sys/net/ipv4/ip_default_ttl", "utf8");
    await box
      .run(["true"], { root: bindRoot(root), linux: { sysctl: { "net.ipv4.ip_default_ttl": "77" } } })
      .catch(() => undefined);
    expect(readFileSync("/proc/sys/net/ipv4/ip_default_ttl", "utf8")).toBe(host);
    expectUntouched(canary);
  });

  test.each(["dev", "proc", "sys", "etc"])(
    "A6: an image with a link at /%s makes nothing on the host",
    async (place) => {
      const { root, canary } = hostileRoot();
      const source = `${box.path}/bound`;
      writeFileSync(source, "bound\n");
      rmSync(`${root}/${place}`, { recursive: true });
      symlinkSync(canary, `${root}/${place}`);
      const bind = { destination: `/${place}/bound`, type: "bind", source, options: ["bind", "ro"] };
      await box.run(["true"], { root: bindRoot(root), spec: { mounts: [bind] } }).catch(() => undefined);
      await box.run(["true"], { root: bindRoot(root) }).catch(() => undefined);
      expectUntouched(canary);
    },
  );

  test("A7: a mount point exchanged with a link during the start leads nowhere outside", async () => {
    const { root, canary } = hostileRoot();
    const [one, two] = [`${root}/data`, `${root}/other`];
    mkdirSync(`${root}/data`);
    symlinkSync(canary, two);
    const swapper = Bun.spawn([process.execPath, "-e", SWAP, one, two], {
      env: { BUN_BE_BUN: "1" },
      stdout: "pipe",
    });
    try {
      await swapper.stdout.getReader().read();
      const mounts = [{ destination: "/data/deep/x", type: "tmpfs", source: "tmpfs", options: ["nosuid"] }];
      for (let round = 0; round < 20; round++)
        await box.run(["true"], { root: bindRoot(root), spec: { mounts } }).catch(() => undefined);
    } finally {
      swapper.kill("SIGKILL");
      await swapper.exited;
    }
    expectUntouched(canary);
  });

  test("A9: a working directory behind a link is made inside the root", async () => {
    const { root, canary } = hostileRoot();
    symlinkSync(canary, `${root}/work`);
    const { stdout } = await box.run(["pwd"], { root: bindRoot(root), process: { cwd: "/work/made" } });
    expect(stdout).toBe(`${canary}/made\n`);
    expectUntouched(canary);
    expect(existsSync(`${root}${canary}/made`)).toBe(true);
  });

  test.each([
    ["a pipe", (path: string) => Bun.spawnSync(["mkfifo", path]), /not a regular file/],
    ["a directory", (path: string) => mkdirSync(path), /not a regular file|is a directory/],
    ["over 1 MiB", (path: string) => writeFileSync(path, Buffer.alloc((1 << 20) + 1)), /over 1 MiB/],
  ])("A22: a user is not looked up in %s", async (_what, make, words) => {
    const { root } = hostileRoot();
    rmSync(`${root}/etc/passwd`);
    make(`${root}/etc/passwd`);
    const running = box.run(["id"], { root: bindRoot(root), process: { user: "ann" } });
    await expect(running).rejects.toThrow(words);
  });

  test("A22: a user is not looked up in a file of the host", async () => {
    const { root, canary } = hostileRoot();
    writeFileSync(`${canary}/secret`, "mallory:x:4242:4242::/:/bin/sh\n");
    rmSync(`${root}/etc/passwd`);
    symlinkSync(`${canary}/secret`, `${root}/etc/passwd`);
    const running = box.run(["id"], { root: bindRoot(root), process: { user: "mallory" } });
    await expect(running).rejects.toThrow("unable to find user mallory: no matching entries in passwd file");
  });
});

/** Exchanges two names without end: renameat2 with RENAME_EXCHANGE. */
const SWAP = `
import { dlopen } from "bun:ffi";
const { symbols } = dlopen("libc.so.6", { renameat2: { args: ["i32", "ptr", "i32", "ptr", "u32"], returns: "i32" } });
const [one, two] = process.argv.slice(-2).map((path) => Buffer.from(path + "\\0"));
console.log("ready");
for (;;) symbols.renameat2(-100, one, -100, two, 2);
`;
