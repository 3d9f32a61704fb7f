import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { run } from "../../fixtures/daemon.ts";
import { HostPart, PATIENCE } from "../../fixtures/host-part.ts";

const hasJournal = existsSync("/run/systemd/journal/socket");
const reason = hasJournal ? "" : " (skipped: this machine has no journald)";

describe.skipIf(!hasJournal)(`the log driver journald${reason}`, () => {
  test(
    "gives the journal what a container says, with its fields, and reads and follows it there",
    async () => {
      await using part = await HostPart.open("busybox");
      const LogConfig = { Type: "journald", Config: { tag: "{{.Name}}/{{.ImageName}}", labels: "tier" } };
      const script = "echo out; echo bad >&2; head -c 20000 /dev/zero | tr '\\0' x; echo; read go; echo last";
      const settings = { Labels: { tier: "web" }, OpenStdin: true };
      const { id } = await part.start(["sh", "-c", script], { LogConfig }, settings);
      const followed = part.daemon.request("GET", `/containers/${id}/logs?stdout=1&stderr=1&follow=1`);
      await part.ask("POST", `/containers/${id}/rename?name=told`);
      expect((await part.logs(id)).stderr).toBe("bad\n");
      await part.ask("POST", `/containers/${id}/kill`);
      const long = "x".repeat(20_000);
      expect((await part.logs(id)).stdout).toBe(`out\n${long}\n`);
      const followedText = Buffer.from(await (await followed).arrayBuffer()).toString("latin1");
      expect(followedText).toContain("out\n");
      expect(followedText).toContain("bad\n");

      const { stdout } = await run(["journalctl", "--output=json", `CONTAINER_ID_FULL=${id}`, "PRIORITY=3"]);
      expect(JSON.parse(stdout.split("\n")[0] ?? "")).toMatchObject({
        MESSAGE: "bad",
        CONTAINER_ID: id.slice(0, 12),
        CONTAINER_TAG: expect.stringMatching(/\/busybox$/),
        SYSLOG_IDENTIFIER: expect.stringMatching(/\/busybox$/),
        IMAGE_NAME: "busybox",
        TIER: "web",
      });
      const tail = await part.daemon.request(
        "GET",
        `/containers/${id}/logs?stderr=1&tail=9&details=1&timestamps=1`,
      );
      expect(Buffer.from(await tail.arrayBuffer()).toString("latin1")).toMatch(/T\S+Z TIER=web bad\n$/);
      await part.remove(id);
    },
    2 * PATIENCE,
  );
});
