import { constants, writeSync } from "node:fs";
import { Fault, sentenceOf } from "#errors";
import { AT_FDCWD, changeDirectoryTo, changeRoot, close, must, O_PATH, openAt, syncFileSystem } from "#host";
import type { Digest } from "#oci";
import { EROFS_IMAGE, ErofsUnpacker } from "./erofs/unpacker.ts";
import { decompressInPlace } from "./in-place.ts";
import { followFile, lines, type Order, readStdin } from "./input.ts";
import { writeArchive, writeArchiveInto } from "./output.ts";
import { type Listed, packList, packTree } from "./packer.ts";
import { TarReader } from "./reader.ts";
import { serveCopy, serveMeasure } from "./serve-copy.ts";
import { serveLocalGet, serveLocalPut, serveView } from "./serve-view.ts";
import type { UnpackAnswer } from "./unpacked.ts";
import { Unpacker } from "./unpacker.ts";
import { Verifier } from "./verifier.ts";
import type { WhiteoutStyle } from "./whiteouts.ts";

/** How often the child says how far it is. */
const PROGRESS_BYTES = 2 * 1024 * 1024;
const BLOB_DESCRIPTOR = 3;
const STYLES: readonly string[] = ["overlay", "delete", "keep"];

/**
 * `bunker internal:archive`: the part of this room that runs in a process of its own, with the directory it
 * works on as its root. Answers in lines of JSON on standard output; a failure is one on standard error.
 */
export async function serveArchive([verb = "", ...words]: readonly string[]): Promise<void> {
  try {
    if (verb === "unpack") await serveUnpack(words);
    else if (verb === "unpack-files") await serveUnpackFiles();
    else if (verb === "verify") await serveVerify(words);
    else if (verb === "pack") await servePack(words);
    else if (verb === "sync") serveSync(words);
    else if (verb === "copy") say(serveCopy(words));
    else if (verb === "measure") say(serveMeasure(words));
    else if (verb === "pack-layer") await servePackLayer(words);
    else if (verb === "local-get") await serveLocalGet(words);
    else if (verb === "local-put") await serveLocalPut(words);
    else if (verb.startsWith("view-")) await serveView(verb, words);
    else throw new Fault("invalid", `Cannot serve "${verb}": the archive room knows no such verb`);
  } catch (thrown) {
    const kind = thrown instanceof Fault ? thrown.kind : "internal";
    process.stderr.write(`${JSON.stringify({ kind, message: sentenceOf(thrown) })}\n`);
    process.exitCode = 1;
  }
}

/** `unpack DIRECTORY STYLE`: the archive is on standard input. */
async function serveUnpack([directory = "", style = ""]: readonly string[]): Promise<void> {
  enter(directory);
  say(await unpackHere(readStdin(), { style, isHashed: true }));
}

/** `unpack-files`: files that may still grow, one after the other, each named by an `Order` on standard input. */
async function serveUnpackFiles(): Promise<void> {
  const root = must(openAt(AT_FDCWD, "/", O_PATH | constants.O_DIRECTORY), "open /");
  const orders = lines(Bun.stdin.stream());
  for await (const order of orders) {
    const { directory, style, path, isHashed }: Order = JSON.parse(order);
    leave(root);
    const file = must(openAt(AT_FDCWD, path, constants.O_RDONLY), "open the blob");
    enter(directory);
    say(await unpackHere(counted(followFile(file, orders)), { style, isHashed }));
    close(file);
  }
}

/** Into the working directory. */
async function unpackHere(
  source: AsyncIterable<Buffer>,
  { style, isHashed }: Pick<Order, "style" | "isHashed">,
): Promise<UnpackAnswer> {
  if (style !== "erofs" && !isStyle(style))
    throw new Fault("invalid", `Cannot unpack: "${style}" is no way to express whiteouts`);
  const unpacker = style === "erofs" ? new ErofsUnpacker(EROFS_IMAGE) : new Unpacker(style);
  const reader = new TarReader(unpacker);
  const hash = new Bun.CryptoHasher("sha256");
  let expanded = 0;
  for await (const chunk of decompressInPlace(source)) {
    if (isHashed) hash.update(chunk);
    expanded += chunk.length;
    reader.push(chunk);
  }
  reader.end();
  // It takes the place of what was there: a part of it must not pass for the whole.
  if (style === "keep" && !reader.hasEnd)
    throw new Fault("invalid", "Cannot read the archive: it is cut off, or is no tar archive");
  const totals = unpacker.end();
  const digest = isHashed ? { diffId: `sha256:${hash.digest("hex")}` as Digest } : {};
  return { ...digest, expanded, ...totals };
}

/** `verify DIRECTORY`: the archive is open as descriptor 3. */
async function serveVerify([directory = ""]: readonly string[]): Promise<void> {
  enter(directory);
  const verifier = new Verifier();
  const reader = new TarReader(verifier);
  const hash = new Bun.CryptoHasher("sha256");
  for await (const chunk of decompressInPlace(followFile(BLOB_DESCRIPTOR, lines(Bun.stdin.stream())))) {
    hash.update(chunk);
    reader.push(chunk);
  }
  reader.end();
  say({ diffId: `sha256:${hash.digest("hex")}`, ...verifier.end() });
}

function isStyle(style: string): style is WhiteoutStyle {
  return STYLES.includes(style);
}

/** From here on no path leads out of the directory. */
function enter(directory: string): void {
  process.chdir(directory);
  must(changeRoot("."), `change the root to ${directory}`);
}

/** Back to where we came from, in which no directory was entered. */
function leave(root: number): void {
  must(changeDirectoryTo(root), "go back to /");
  must(changeRoot("."), "go back to /");
}

/** `pack DIRECTORY STYLE`: the archive on standard output. */
async function servePack([directory = "", style = ""]: readonly string[]): Promise<void> {
  if (style !== "plain" && style !== "overlay")
    throw new Fault("invalid", `Cannot pack: "${style}" is no kind of tree`);
  enter(directory);
  await writeArchive(packTree(style));
}

/**
 * `pack-layer DIRECTORY FORM` into the file that is open as descriptor 3: of an `overlay` all, else what a `list` in lines of
 * JSON on standard input names. Each line of output is how many bytes are there, and the last one the digest of all.
 */
async function servePackLayer([directory = "", form = ""]: readonly string[]): Promise<void> {
  if (form !== "overlay" && form !== "list")
    throw new Fault("invalid", `Cannot pack: "${form}" is no way to tell what differs`);
  enter(directory);
  const pieces = form === "list" ? packList(listed()) : packTree("overlay");
  // At once: whoever follows reads while we go on.
  const digest = await writeArchiveInto(BLOB_DESCRIPTOR, pieces, (written) => writeSync(1, `${written}\n`));
  writeSync(1, `${digest}\n`);
}

async function* listed(): AsyncGenerator<Listed> {
  for await (const line of lines(Bun.stdin.stream())) yield JSON.parse(line);
}

/** `sync DIRECTORY`: blocks as long as the disk does, which is why it is done here. */
function serveSync([directory = ""]: readonly string[]): void {
  const descriptor = must(
    openAt(AT_FDCWD, directory, constants.O_RDONLY | constants.O_DIRECTORY),
    `open ${directory}`,
  );
  must(syncFileSystem(descriptor), `write ${directory} to disk`);
  close(descriptor);
}

async function* counted(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let consumed = 0;
  let said = 0;
  for await (const chunk of source) {
    yield chunk;
    consumed += chunk.length;
    if (consumed - said < PROGRESS_BYTES) continue;
    said = consumed;
    say({ consumed });
  }
}

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
