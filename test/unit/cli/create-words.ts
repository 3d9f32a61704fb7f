import { expect } from "bun:test";
import { createBody } from "../../../src/cli/create/body.ts";
import { CREATE_FLAGS } from "../../../src/cli/create/flags.ts";
import { parseFlags } from "../../../src/cli/flags.ts";

/** The body that the words of a `create` come to. */
export function body(words: readonly string[], env: Record<string, string> = {}, folder = "/work") {
  const { flags, words: rest } = parseFlags(CREATE_FLAGS, [...words, "img"], { stopsAtWord: true });
  return createBody(flags, rest, { env, folder });
}

/** What the words add to the body of a plain `create img`. */
export function added(words: readonly string[]) {
  const { Image, AttachStdout, AttachStderr, HostConfig, ...rest } = body(words);
  const { NetworkMode, ...host } = HostConfig;
  expect([Image, NetworkMode === undefined]).toEqual(["img", false]);
  const attached = AttachStdout && AttachStderr ? {} : { AttachStdout, AttachStderr };
  const mode = NetworkMode === "default" ? {} : { NetworkMode };
  return { ...rest, ...attached, ...host, ...mode };
}
