import { existsSync } from "node:fs";
import { lstat, mkdir, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { Fault, sentenceOf } from "#errors";
import { findProgram, getAttribute, unmount } from "#host";
import type { Verdict } from "../../driver.ts";
import { backingFileSystem } from "../backing.ts";
import { PROGRAM, startServer } from "./server.ts";

const DEVICE = "/dev/fuse";

/** Tries the real thing: a mount, a write, and both kinds of marks in the form that is read here. */
export async function probeServed(root: string): Promise<Verdict> {
  const reason = (await obstacle(root)) ?? (await failureOf(`${root}/.probe-${crypto.randomUUID()}`));
  return reason === undefined ? { usable: true } : { usable: false, reason };
}

async function obstacle(root: string): Promise<string | undefined> {
  if (findProgram(PROGRAM) === undefined)
    return `${PROGRAM} is not installed on this host; install the package ${PROGRAM}`;
  if (!existsSync(DEVICE)) return `there is no ${DEVICE} on this host; load the module fuse`;
  if (/[,:\\]/.test(root))
    return `${PROGRAM} cannot be told of a path with a comma, colon or backslash (${root})`;
  await mkdir(root, { recursive: true, mode: 0o710 });
  const backing = await backingFileSystem(root);
  return backing === "fuse" ? `${root} is itself on ${backing}` : undefined;
}

async function failureOf(directory: string): Promise<string | undefined> {
  try {
    await tryServer(directory);
    return undefined;
  } catch (thrown) {
    return sentenceOf(thrown);
  }
}

async function tryServer(directory: string): Promise<void> {
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(directory, { recursive: true, force: true }));
  for (const name of ["low/folder", "up/diff", "up/work", "merged"])
    await mkdir(`${directory}/${name}`, { recursive: true });
  await writeFile(`${directory}/low/file`, "");
  await writeFile(`${directory}/low/folder/file`, "");
  const merged = `${directory}/merged`;
  await startServer({ root: directory, lowers: ["low"], upper: "up" }, merged);
  undo.defer(() => unmount(merged));
  await writeFile(`${merged}/above`, "text");
  await unlink(`${merged}/file`);
  await rm(`${merged}/folder`, { recursive: true });
  await mkdir(`${merged}/folder`);
  const upper = `${directory}/up/diff`;
  const isWhiteout = (await lstat(`${upper}/file`)).isCharacterDevice();
  const isOpaque = getAttribute(`${upper}/folder`, "trusted.overlay.opaque") !== undefined;
  if (!isWhiteout || !isOpaque || (await readFile(`${upper}/above`, "utf8")) !== "text")
    throw new Fault("unsupported", `${PROGRAM} cannot mark on this file system what is removed`);
}
