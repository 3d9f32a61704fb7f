import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { run } from "../../fixtures/daemon.ts";
import { HostPart, PATIENCE, until } from "../../fixtures/host-part.ts";

const WAITS_FOR_GO = "echo one; while [ ! -e /go ]; do sleep 0.1; done; echo two; exec sleep 600";
const hasSystemd = existsSync("/run/systemd/system");
let part: HostPart;

beforeAll(async () => {
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => part?.[Symbol.asyncDispose](), PATIENCE);

test(
  "an image of twenty layers is pulled and stacked",
  async () => {
    await part.pull("layered");
    const { code, stdout } = await part.run(["busybox", "ls", "/data"], {}, { Image: "layered" });
    expect(code).toBe(0);
    expect(stdout.trim().split("\n").sort()).toEqual(
      Array.from({ length: 20 }, (_, at) => `layer-${at}`).sort(),
    );
  },
  PATIENCE,
);

test(
  "a container outlives kill -9 of the daemon, its log whole and exec at work",
  async () => {
    const { id, pid } = await part.start(["sh", "-c", WAITS_FOR_GO]);
    await part.daemon.kill();
    writeFileSync(`/proc/${pid}/root/go`, "");
    await part.daemon.start();
    expect((await part.inspect(id)).State).toMatchObject({ Status: "running", Pid: pid });
    await until(
      () => part.logs(id),
      ({ stdout }) => stdout === "one\ntwo\n",
    );
    expect((await part.exec(id, ["echo", "here"])).stdout).toBe("here\n");
    await part.remove(id);
  },
  PATIENCE,
);

/** What an administrator would write: the daemon alone is stopped, and what it started goes on. */
function unit(command: readonly string[]): string {
  return `[Unit]
Description=bunker container engine
After=network.target

[Service]
ExecStart=${command.join(" ")}
KillMode=process
Delegate=yes
LimitNOFILE=1048576
TasksMax=infinity
`;
}

const reason = hasSystemd ? "" : " (skipped: this machine is not run by systemd)";
describe.skipIf(!hasSystemd)(`under systemd${reason}`, () => {
  test(
    "stopping and starting the service leaves containers running",
    async () => {
      const { daemon } = part;
      const name = `bunker-test-${process.pid}.service`;
      const path = `/run/systemd/system/${name}`;
      await using undo = new AsyncDisposableStack();
      await daemon.stop();
      writeFileSync(path, unit(daemon.command));
      undo.defer(async () => {
        await systemctl("stop", name);
        await rm(path);
        await systemctl("daemon-reload");
      });
      await systemctl("daemon-reload");
      await systemctl("start", name);
      await answers();
      const { id, pid } = await part.start(["sh", "-c", WAITS_FOR_GO]);
      await systemctl("stop", name);
      expect(existsSync(`/proc/${pid}/root/bin/sh`)).toBe(true);
      writeFileSync(`/proc/${pid}/root/go`, "");
      await systemctl("start", name);
      await answers();
      expect((await part.inspect(id)).State).toMatchObject({ Status: "running", Pid: pid });
      await until(
        () => part.logs(id),
        ({ stdout }) => stdout === "one\ntwo\n",
      );
      expect((await part.exec(id, ["echo", "here"])).stdout).toBe("here\n");
      await part.remove(id);
    },
    PATIENCE,
  );
});

async function answers(): Promise<void> {
  await until(
    async () =>
      part.daemon.request("GET", "/_ping").then(
        ({ ok }) => ok,
        () => false,
      ),
    (ok) => ok,
  );
}

async function systemctl(...words: readonly string[]): Promise<void> {
  const { code, stderr } = await run(["systemctl", ...words]);
  if (code !== 0) throw new Error(`systemctl ${words.join(" ")} ended with ${code}: ${stderr}`);
}
