import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { cannotRun } from "../fixtures/runtime-spec.ts";

const SETTING = "/proc/sys/vm/memfd_noexec";
const missing =
  cannotRun ?? (existsSync(SETTING) ? undefined : "needs vm.memfd_noexec, which Linux has from 6.3");
const reason = missing === undefined ? "" : ` (skipped: ${missing})`;

/**
 * A container runs the launcher, of which it has no other name than its own executable, and a second process tries
 * to write to that as soon as nobody runs it.
 */
const SCRIPT = `
import { launcherPath } from "#libcontainer";
import { ALL_STREAMS, collect, openBox } from ${JSON.stringify(`${import.meta.dir}/../fixtures/container-box.ts`)};
import { processSpec } from ${JSON.stringify(`${import.meta.dir}/../fixtures/runtime-spec.ts`)};
const digest = (path) => Bun.CryptoHasher.hash("sha256", require("node:fs").readFileSync(path), "hex");
const box = await openBox();
const path = launcherPath();
const before = digest(path);
const container = await box.start("copy", ["sleep", "1000"]);
const start = async (execId, args) => {
  const prepared = await container.exec({ execId, stdin: true, process: processSpec(args) });
  const socket = await prepared.attach(ALL_STREAMS);
  const output = collect(socket);
  return { socket, output, running: await prepared.start() };
};
const victim = await start("victim", ["/proc/self/exe", "netlink"]);
const hold = 'for p in /proc/[0-9]*; do read -r name <$p/comm; [ "$name" = exe ] && exec 3<$p/exe; done; readlink /proc/self/fd/3 >/dev/null || exit 1; echo held';
const attack = await start("attack", ["sh", "-c", hold + "; read go; for i in 1 2; do (echo harm >/proc/self/fd/3) || echo refused; done"]);
await new Promise((resolve) => attack.socket.once("data", resolve));
victim.socket.end();
await victim.running.exited;
attack.socket.end("go\\n");
const { code } = await attack.running.exited;
const { stdout, stderr } = await attack.output;
await container.signal(9);
await container.exited;
const isInMemory = require("node:fs").readlinkSync(path).includes("memfd");
const isSame = digest(path) === before;
await box[Symbol.asyncDispose]();
console.log(JSON.stringify({ code, stdout, stderr, isSame, isInMemory }));
process.exit(0);
`;

test.skipIf(missing !== undefined)(
  `where programs in memory are forbidden, no container can change the launcher's copy${reason}`,
  async () => {
    const forbid = `echo 2 > ${SETTING} && exec "$@"`;
    const words = ["--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", forbid, "sh"];
    const child = Bun.spawn(["unshare", ...words, process.execPath, "-e", SCRIPT], {
      cwd: `${import.meta.dir}/../..`,
      stdout: "pipe",
      stderr: "inherit",
    });
    const said = await child.stdout.text();
    expect(JSON.parse(said)).toEqual({
      code: 0,
      stdout: "held\nrefused\nrefused\n",
      stderr: expect.stringMatching(/Read-only file system.*Read-only file system/s),
      isSame: true,
      isInMemory: false,
    });
  },
  60_000,
);
