#!/usr/bin/env bun
import { sentenceOf } from "#errors";

/** Reads the first word and hands over; nothing heavy may be imported here: every command pays for it. */
const words = process.argv.slice(2);

function wantsDaemon([first = ""]: readonly string[]): boolean {
  return first === "daemon" || first === "-d" || first === "--daemon" || first === "--daemon=true";
}

try {
  if (words[0] === "internal:archive") {
    const { serveArchive } = await import("#archive");
    await serveArchive(words.slice(1));
  } else if (wantsDaemon(words)) {
    const { runDaemon } = await import("#daemon");
    await runDaemon(words.slice(1));
  } else {
    const { runCli } = await import("#cli");
    process.exitCode = await runCli(words);
  }
} catch (thrown) {
  process.stderr.write(`bunker: ${sentenceOf(thrown)}\n`);
  if (words.includes("--debug") || words.includes("-D"))
    process.stderr.write(`${thrown instanceof Error ? thrown.stack : ""}\n`);
  // Source: docker run reference, "Exit status"; dockerd ends with 1.
  process.exitCode = wantsDaemon(words) ? 1 : 125;
}
