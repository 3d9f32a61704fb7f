import { chmod, chown, lstat, mkdir, mkdtemp, readFile, rename, rm, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname, join } from "node:path";
import { Fault } from "#errors";
import { closed, listening } from "./binding.ts";

/** Groups that may use the socket, in order of preference. */
const GROUPS = ["docker", "bunker"];

/**
 * Listens on a path that only root and one group can open, from its first moment on: the socket is made in
 * a directory that nobody else may enter, and renamed when its mode and owner are right. A socket that is
 * there already is replaced only when nobody answers on it. Disposing closes it and removes the path.
 */
export async function bindUnixSocket(
  server: Server,
  path: string,
  group: string | undefined,
): Promise<AsyncDisposable> {
  if (!path.startsWith("/"))
    throw new Fault("invalid", `Cannot listen on unix://${path}: the path must be absolute`);
  await mkdir(dirname(path), { recursive: true });
  await refuseIfUsed(path);
  const gid = await groupId(group);
  const nursery = await mkdtemp(join(dirname(path), ".b"));
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(nursery, { recursive: true, force: true }));
  const cradle = join(nursery, "s");
  await listening(server, { path: cradle }, `unix://${path}`);
  await using bound = new AsyncDisposableStack();
  bound.defer(() => closed(server));
  await chmod(cradle, 0o660);
  if (gid !== undefined) await chown(cradle, 0, gid);
  const { ino } = await lstat(cradle);
  await rename(cradle, path);
  bound.defer(() => removeOwn(path, ino));
  const held = bound.move();
  return { [Symbol.asyncDispose]: () => held.disposeAsync() };
}

async function refuseIfUsed(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket())
    throw new Fault("conflict", `Cannot listen on unix://${path}: something that is no socket is there`);
  if (await answers(path))
    throw new Fault("conflict", `Cannot listen on unix://${path}: another program listens there`);
}

function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const probe = connect({ path });
  probe.once("connect", () => resolve(true)).once("error", () => resolve(false));
  return promise.finally(() => probe.destroy());
}

/** By name or number. Throws `invalid` for one that was asked for and does not exist. */
async function groupId(wanted: string | undefined): Promise<number | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  if (wanted !== undefined && /^\d+$/.test(wanted)) return Number(wanted);
  const lines = (await readFile("/etc/group", "utf8").catch(() => "")).split("\n");
  const ids = new Map(lines.map((line) => line.split(":")).map(([name = "", , id]) => [name, Number(id)]));
  if (wanted !== undefined && !ids.has(wanted))
    throw new Fault("invalid", `Cannot give the socket to the group ${wanted}: there is no such group`);
  const name = wanted ?? GROUPS.find((candidate) => ids.has(candidate));
  return name === undefined ? undefined : ids.get(name);
}

/** Not the socket of a daemon that has taken the path over in the meantime. */
async function removeOwn(path: string, inode: number): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.ino === inode) await unlink(path).catch(() => undefined);
}
