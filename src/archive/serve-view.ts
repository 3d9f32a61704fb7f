import { constants, lstatSync } from "node:fs";
import { Fault } from "#errors";
import { changeRoot, must } from "#host";
import { identityOf } from "./identity.ts";
import { decompressInPlace } from "./in-place.ts";
import { readStdin } from "./input.ts";
import { byteString } from "./names.ts";
import { writeArchive } from "./output.ts";
import { packResource, packTree, type Resource } from "./packer.ts";
import { enterDirectory, goTo, type Place, targetOf } from "./place.ts";
import type { Placing } from "./placing.ts";
import { TarReader } from "./reader.ts";
import { Unpacker } from "./unpacker.ts";

const { S_IFMT, S_IFLNK, S_IFDIR } = constants;

/** What `get` says before the archive, and `stat` says alone: one line of JSON. */
export interface Looked {
  readonly name: string;
  readonly size: number;
  /** As in st_mode. */
  readonly mode: number;
  /** Nanoseconds since the epoch, in decimal. */
  readonly modified: string;
  /** Of a link: where it leads. */
  readonly target: string;
}

/** What `put` is told besides the path. Users are looked up inside. */
export interface PutOptions {
  readonly keepsKinds: boolean;
  readonly user?: string;
}

/** The verbs whose working directory is a container's root. From here on no path leads out of it. */
export async function serveView(verb: string, [path = "", options = ""]: readonly string[]): Promise<void> {
  must(changeRoot("."), "change the root to the container's");
  if (verb === "view-stat") process.stdout.write(`${JSON.stringify(look(path).looked)}\n`);
  else if (verb === "view-get") await serveGet(path);
  else if (verb === "view-put") await servePut(path, JSON.parse(options));
  else if (verb === "view-export") await writeArchive(packTree("live"));
  else throw new Fault("invalid", `Cannot serve "${verb}": the archive room knows no such verb`);
}

function look(path: string): { readonly looked: Looked; readonly place: Place } {
  const place = goTo(path);
  const stats = lstatSync(place.entry === "" ? "." : place.entry, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined) throw new Fault("not_found", `${path}: no such file or directory`);
  const mode = Number(stats.mode);
  const isLink = (mode & S_IFMT) === S_IFLNK;
  const looked = {
    name: place.name,
    size: Number(stats.size),
    mode,
    modified: stats.mtimeNs.toString(),
    target: isLink ? targetOf(path) : "",
  };
  return { looked, place };
}

async function serveGet(path: string): Promise<void> {
  const { looked, place } = look(path);
  const isDirectory = (looked.mode & S_IFMT) === S_IFDIR;
  if (isDirectory && place.entry !== "") enterDirectory(path);
  const entry = isDirectory ? "" : byteString(place.entry);
  const pieces = packResource({ entry, name: byteString(place.name), isRoots: false });
  await writeArchive(headed(`${JSON.stringify(looked)}\n`, pieces));
}

function* headed(line: string, pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield Buffer.from(line);
  yield* pieces;
}

async function servePut(path: string, { keepsKinds, user = "" }: PutOptions): Promise<void> {
  const owner = user === "" ? undefined : identityOf(user);
  try {
    enterDirectory(path);
  } catch (thrown) {
    const isOther = !(thrown instanceof Fault) || !thrown.message.endsWith(": not a directory");
    throw isOther ? thrown : new Fault("invalid", "extraction point is not a directory");
  }
  await unpackHere({ keepsKinds, keepsRoot: true, ...(owner !== undefined && { owner }) });
}

/** `local-get DIRECTORY RESOURCE`: something of this machine, by whoever runs the client. */
export async function serveLocalGet([directory = "", resource = ""]: readonly string[]): Promise<void> {
  process.chdir(directory);
  const { entry, name, isRoots }: Resource = JSON.parse(resource);
  await writeArchive(packResource({ entry: byteString(entry), name: byteString(name), isRoots }));
}

/** `local-put DIRECTORY PLACING`: into a directory of this machine. Whoever runs the client may not be root, and hence not confined. */
export async function serveLocalPut([directory = "", placing = ""]: readonly string[]): Promise<void> {
  process.chdir(directory);
  const { rename, ...rest }: Placing = JSON.parse(placing);
  const bytes = rename && { rename: { from: byteString(rename.from), to: byteString(rename.to) } };
  await unpackHere({ ...rest, ...bytes, isBound: true });
}

async function unpackHere(placing: Placing): Promise<void> {
  const unpacker = new Unpacker("keep", placing);
  const reader = new TarReader(unpacker);
  for await (const chunk of decompressInPlace(readStdin())) reader.push(chunk);
  reader.end();
  unpacker.end();
}
