#!/usr/bin/env bun
import { sentenceOf } from "#errors";

/** Reads the first words and hands over; nothing heavy may be imported here: every command pays for it. */
const words = process.argv.slice(2);

const DAEMON = ["daemon", "-d", "--daemon", "--daemon=true"];
/** Flags before a command that take no value: the word behind one of them is the command. */
const SWITCHES = ["-D", "--debug", "-v", "--version", "-h", "--help", "--tls", "--tlsverify"];

/** Where the word stands that asks for the daemon, as in `-H tcp://127.0.0.1:2375 -d`: flags alone come before it. Else -1. */
function daemonWord(): number {
  let takesValue = false;
  for (const [at, word] of words.entries()) {
    if (DAEMON.includes(word)) return at;
    if (!word.startsWith("-") && !takesValue) return -1;
    takesValue = /^(-[A-Za-z]|--[^=]+)$/.test(word) && !SWITCHES.includes(word);
  }
  return -1;
}

const mode = daemonWord();

try {
  if (words[0] === "internal:archive") {
    // That half of the room alone: the daemon's would be a third of such a child's start.
    const { serveArchive } = await import("./archive/serve.ts");
    await serveArchive(words.slice(1));
  } else if (words[0] === "internal:volume") {
    const { serveVolume } = await import("#volume");
    serveVolume(words.slice(1));
  } else if (words[0] === "registry") {
    const { runRegistry } = await import("#daemon");
    await runRegistry(words.slice(1));
  } else if (mode >= 0) {
    const { runDaemon } = await import("#daemon");
    await runDaemon(words.toSpliced(mode, 1));
  } else {
    const { runCli } = await import("#cli");
    process.exitCode = await runCli(words);
  }
} catch (thrown) {
  process.stderr.write(`bunker: ${sentenceOf(thrown)}\n`);
  if (words.includes("--debug") || words.includes("-D"))
    process.stderr.write(`${thrown instanceof Error ? thrown.stack : ""}\n`);
  // Source: docker run reference, "Exit status"; dockerd ends with 1.
  process.exitCode = mode >= 0 ? 1 : 125;
}
