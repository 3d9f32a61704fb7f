import { expect, test } from "bun:test";
import { parseAddress } from "../../../src/client/address.ts";
import { sshCommand } from "../../../src/client/ssh.ts";

const FIRST = ["ssh", "-o", "ConnectTimeout=30"];

test.each([
  ["ssh://host", ["-T", "--", "host", "bunker", "system", "dial-stdio"]],
  ["ssh://me@host:2222", ["-l", "me", "-p", "2222", "-T", "--", "host", "bunker", "system", "dial-stdio"]],
  ["ssh://[fd00::1]/", ["-T", "--", "fd00::1", "bunker", "system", "dial-stdio"]],
  [
    "ssh://host/run/it's; reboot",
    ["-T", "--", "host", "bunker", "--host", `'unix:///run/it'\\''s; reboot'`, "system", "dial-stdio"],
  ],
])("%s becomes an argument vector", (text, words) => {
  const address = parseAddress(text);
  if (address.kind !== "ssh") throw new Error(`${text} is ${address.kind}`);
  expect(sshCommand(address)).toEqual([...FIRST, ...words]);
});
