/**
 * Compiles the launcher from C, and then the whole of bunker with the launcher embedded, into dist/bunker.
 * `--launcher` stops after the launcher.
 */
import { mkdir, rm } from "node:fs/promises";
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

async function buildLauncher(): Promise<void> {
  const sources = [...new Bun.Glob("src/libcontainer/launcher/*.c").scanSync()].sort();
  const isMuslThere = Bun.which("musl-gcc") !== null;
  const compiler = isMuslThere ? ["musl-gcc", ...KERNEL_HEADERS] : ["cc"];
  await $`${compiler} ${FLAGS} ${WARNINGS} -s -Wl,-z,norelro -Wl,--build-id=none -o dist/launcher ${sources}`;
}

async function buildBunker(): Promise<void> {
  const { version } = await Bun.file("package.json").json();
  const result = await Bun.build({
    entrypoints: ["src/main.ts"],
    target: "bun",
    format: "esm",
    minify: true,
    bytecode: true,
    sourcemap: "inline",
    define: { BUNKER_VERSION: JSON.stringify(version) },
    compile: {
      outfile: "dist/bunker",
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
if (!process.argv.includes("--launcher")) {
  await rm("dist/bunker", { force: true });
  await buildBunker();
}
