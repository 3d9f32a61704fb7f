import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { BUNKER, run } from "../../fixtures/daemon.ts";
import { HostPart, PATIENCE, until } from "../../fixtures/host-part.ts";

const hasSystemd = existsSync("/run/systemd/system");
const reason = hasSystemd ? "" : " (skipped: this machine is not run by systemd)";
const NAME = `bunker-test-${process.pid}`;

describe.skipIf(!hasSystemd)(`the units that setup prints${reason}`, () => {
  test(
    "the first client starts the daemon, a reload is seen, and containers outlive a stop",
    async () => {
      await using part = await HostPart.open("busybox");
      const { daemon } = part;
      await daemon.stop();
      await using undo = new AsyncDisposableStack();
      const service = (await printed("service"))
        .replace(/^ExecStart=.*$/m, `ExecStart=${daemon.command.join(" ")} -H fd://`)
        .replaceAll("bunker.socket", `${NAME}.socket`);
      const socket = (await printed("socket")).replace(/^ListenStream=.*$/m, `ListenStream=${daemon.socket}`);
      for (const [kind, text] of Object.entries({ service, socket })) {
        const path = `/run/systemd/system/${NAME}.${kind}`;
        writeFileSync(path, text);
        undo.defer(() => rm(path));
      }
      await systemctl("daemon-reload");
      undo.defer(() => systemctl("stop", `${NAME}.socket`, `${NAME}.service`).then(() => undefined));
      await systemctl("start", `${NAME}.socket`);
      expect(await state()).toBe("inactive");

      const { id, pid } = await part.start(["sleep", "600"]);
      await until(state, (word) => word === "active");
      await systemctl("reload", `${NAME}.service`);
      const reloaded = async () => (await run(["journalctl", "-u", `${NAME}.service`])).stdout;
      await until(reloaded, (text) => text.includes("Reloaded the configuration"));
      expect(await state()).toBe("active");

      await systemctl("stop", `${NAME}.service`);
      expect(await state()).toBe("inactive");
      expect(existsSync(`/proc/${pid}`)).toBe(true);
      expect((await part.inspect(id)).State).toMatchObject({ Status: "running", Pid: pid });
      await until(state, (word) => word === "active");
      await part.remove(id);
    },
    2 * PATIENCE,
  );
});

async function printed(kind: string): Promise<string> {
  const { code, stdout, stderr } = await run([BUNKER, "setup", "systemd", "--print", kind]);
  if (code !== 0) throw new Error(`The unit ${kind} is not printed: ${stderr}`);
  return stdout;
}

async function state(): Promise<string> {
  return (await run(["systemctl", "is-active", `${NAME}.service`])).stdout.trim();
}

async function systemctl(...words: readonly string[]): Promise<void> {
  const { code, stderr } = await run(["systemctl", ...words]);
  if (code !== 0) throw new Error(`systemctl ${words.join(" ")} ended with ${code}: ${stderr}`);
}
