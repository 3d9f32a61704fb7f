import { importImage } from "#client";
import { Fault, sentenceOf } from "#errors";
import { defineCli } from "../command.ts";
import { fs } from "../lazy-fs.ts";
import { cleanCell } from "../output/clean.ts";
import { splitName } from "../pull.ts";

const CHUNK_BYTES = 1024 * 1024;

/** `bunker import`. */
export const imported = defineCli({
  synopsis: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
  about: "Import the contents from a tarball to create a filesystem image",
  example: "bunker import rootfs.tar.gz base:1",
  flags: {
    change: { kind: "list", short: "c", about: "Apply Dockerfile instruction to the created image" },
    message: { kind: "text", hint: "string", short: "m", about: "Set commit message for imported image" },
    platform: { kind: "text", hint: "string", about: "Set platform if server is multi-platform capable" },
  },
  words: { min: 1, max: 2 },
  async run({ flags, words: [source = "", target = ""], session }) {
    const { repository, tag } = target === "" ? { repository: "", tag: "" } : splitName(target);
    const isRemote = /^https?:\/\//.test(source);
    const lines = importImage(session.daemon, {
      source: isRemote ? source : "-",
      repository,
      tag,
      message: flags.text("message") || (isRemote || source === "-" ? "" : `Imported from ${source}`),
      platform: flags.text("platform"),
      changes: flags.list("change"),
      stream: isRemote ? nothing() : source === "-" ? Bun.stdin.stream() : pieces(source),
    });
    for await (const line of lines) {
      const failure = line.errorDetail?.message ?? line.error;
      if (failure !== undefined) throw new Fault("internal", cleanCell(failure));
      if (line.status !== undefined) session.say(cleanCell(line.status));
    }
    return 0;
  },
});

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** A file in pieces. Throws in Docker's words when it cannot be opened. */
function pieces(path: string): AsyncGenerator<Uint8Array> {
  const descriptor = opened(path);
  return (async function* () {
    try {
      for (;;) {
        const piece = new Uint8Array(CHUNK_BYTES);
        const length = fs().readSync(descriptor, piece);
        if (length === 0) return;
        yield piece.subarray(0, length);
      }
    } finally {
      fs().closeSync(descriptor);
    }
  })();
}

function opened(path: string): number {
  try {
    return fs().openSync(path, "r");
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    if (isMissing) throw new Fault("not_found", `open ${path}: no such file or directory`, { cause });
    throw new Fault("invalid", `Cannot open ${path}: ${sentenceOf(cause)}`, { cause });
  }
}
