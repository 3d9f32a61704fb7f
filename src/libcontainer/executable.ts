import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { CryptoHasher } from "bun";
import { Fault } from "#errors";
import { close, readonlyView, sealedMemoryFile } from "#host";
import embedded from "../../dist/launcher" with { type: "file" };

/** What the launcher answers when it is told nothing: proof that this kernel runs it. */
const USAGE_CODE = 2;
/** For a copy where programs in memory are forbidden. */
const FALLBACK_DIRECTORY = "/run/bunker";

let opened: string | undefined;
let copies = FALLBACK_DIRECTORY;

/**
 * Where the launcher can be run from, for as long as this process lives. It is taken out of this program into
 * memory once, and sealed, so that no container that gets hold of a process's executable can change what the next
 * container is started with. Where the kernel forbids programs in memory (vm.memfd_noexec), a copy in `directory`,
 * verified by digest and run through a read-only mount of its own, does. Throws `internal` when neither runs.
 */
export function launcherPath(directory?: string): string {
  copies = directory ?? copies;
  opened ??= open(copies);
  return opened;
}

/** The argument vector of one of the launcher's modes. */
export function launcherCommand(args: readonly string[]): readonly string[] {
  return [launcherPath(), ...args];
}

/**
 * A fresh one instead of one that somebody holds open for writing: its content is sealed, but the kernel runs
 * nothing that has a writer. The old one stays for those who run it.
 */
export function renewLauncher(): string {
  opened = open(copies);
  return opened;
}

function open(directory: string): string {
  const content = readFileSync(embedded);
  const inMemory = fromMemory(content);
  if (inMemory !== undefined) return inMemory;
  const path = copyInto(directory, content);
  const view = `/proc/${process.pid}/fd/${readonlyView(path)}`;
  if (runs(view)) return view;
  throw new Fault(
    "internal",
    `Cannot run the launcher: this kernel runs no program from memory (vm.memfd_noexec), and not ${path} either; is it on a noexec mount?`,
  );
}

/** The descriptor stays open for good: it is what the path names. */
function fromMemory(content: Uint8Array): string | undefined {
  try {
    const descriptor = sealedMemoryFile("bunker-launcher", content);
    const path = `/proc/${process.pid}/fd/${descriptor}`;
    if (runs(path)) return path;
    close(descriptor);
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
  }
  return undefined;
}

function runs(path: string): boolean {
  try {
    const { exitCode } = Bun.spawnSync([path], { stdio: ["ignore", "ignore", "ignore"], env: {} });
    return exitCode === USAGE_CODE;
  } catch {
    return false;
  }
}

function copyInto(directory: string, content: Uint8Array): string {
  const digest = CryptoHasher.hash("sha256", content, "hex");
  const path = `${directory}/launcher-${digest.slice(0, 16)}`;
  if (isSame(path, digest)) return path;
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  const side = `${path}.${crypto.randomUUID()}`;
  writeFileSync(side, content, { mode: 0o500, flag: "wx" });
  chmodSync(side, 0o500);
  renameSync(side, path);
  return path;
}

function isSame(path: string, digest: string): boolean {
  try {
    const { uid, mode } = statSync(path);
    const isOurs = uid === 0 && (mode & 0o777) === 0o500;
    return isOurs && CryptoHasher.hash("sha256", readFileSync(path), "hex") === digest;
  } catch {
    return false;
  }
}
