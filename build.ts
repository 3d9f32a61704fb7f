/**
 * Compiles the launcher from C, and then the whole of bunker with the launcher embedded, into dist/bunker.
 * `--launcher` stops after the launcher.
 */
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { $ } from "bun";

const FLAGS = ["-std=gnu11", "-O2", "-static", "-fno-asynchronous-unwind-tables", "-fno-stack-protector"];
const WARNINGS = ["-Wall", "-Wextra", "-Werror"];
/** musl keeps a supervisor's memory small; its headers lack the kernel's, which stand in the system's folders. */
const KERNEL_HEADERS = [
  "-idirafter",
  "/usr/include",
  "-idirafter",
  "/usr/include/x86_64-linux-gnu",
  "-idirafter",
  "/usr/include/aarch64-linux-gnu",
];

/** What git says; empty outside a checkout. */
async function git(...words: string[]): Promise<string> {
  return (await $`git ${words}`.nothrow().quiet()).stdout.toString().trim();
}

/** The program of the embedded image bunker/demo. */
async function buildDemoServer(): Promise<void> {
  await $`${compiler()} ${FLAGS} -Os ${WARNINGS} -s -o dist/demo-server src/daemon/demo/server.c`;
}

function compiler(): string[] {
  return Bun.which("musl-gcc") === null ? ["cc"] : ["musl-gcc", ...KERNEL_HEADERS];
}

async function buildLauncher(): Promise<void> {
  const sources = [...new Bun.Glob("src/libcontainer/launcher/*.c").scanSync()].sort();
  await $`${compiler()} ${FLAGS} ${WARNINGS} -s -Wl,-z,norelro -Wl,--build-id=none -o dist/launcher.new ${sources}`;
  await rename("dist/launcher.new", "dist/launcher");
}

/** Made aside and renamed into place: whoever runs or copies dist/bunker meanwhile has a whole one. */
async function buildBunker(): Promise<void> {
  const work = await mkdtemp("dist/.build-");
  try {
    await compileBunker(work);
    await rename(`${work}/bunker`, "dist/bunker");
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function compileBunker(work: string): Promise<void> {
  const { version } = await Bun.file("package.json").json();
  const result = await Bun.build({
    entrypoints: ["src/main.ts"],
    target: "bun",
    format: "esm",
    minify: true,
    bytecode: true,
    // In one piece, every built-in module that any room imports (node:http, bun:sqlite) would be loaded by every command.
    splitting: true,
    sourcemap: "inline",
    define: {
      BUNKER_VERSION: JSON.stringify(version),
      BUNKER_COMMIT: JSON.stringify(await git("rev-parse", "--short", "HEAD")),
      BUNKER_BUILT: JSON.stringify(await git("log", "-1", "--format=%cI")),
    },
    compile: {
      outfile: `${work}/bunker`,
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
  });
  if (!result.success) throw new AggregateError(result.logs, "Cannot build dist/bunker");
}

await mkdir("dist", { recursive: true });
await buildLauncher();
await buildDemoServer();
if (!process.argv.includes("--launcher")) {
  await buildBunker();
}
