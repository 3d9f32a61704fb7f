import { importImage } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../command.ts";
import { filePieces } from "../file-pieces.ts";
import { cleanCell } from "../output/clean.ts";
import { splitName } from "../pull.ts";

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
      stream: isRemote ? nothing() : source === "-" ? Bun.stdin.stream() : filePieces(source),
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
