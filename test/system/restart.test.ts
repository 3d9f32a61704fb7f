import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";
import { Listener } from "../fixtures/listener.ts";

let part: HostPart;

beforeAll(async () => {
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => part?.[Symbol.asyncDispose](), PATIENCE);

interface Seen {
  readonly Name: string;
  readonly RestartCount: number;
  readonly State: { readonly Status: string; readonly StartedAt: string; readonly ExitCode: number };
}

const seen = (ref: string) => part.ask<Seen>("GET", `/containers/${ref}/json`);
const sh = (script: string) => ["sh", "-c", script];
const policy = (Name: string, MaximumRetryCount = 0) => ({ RestartPolicy: { Name, MaximumRetryCount } });

async function made(name: string, hostConfig: object): Promise<string> {
  const body = { Image: "busybox", Cmd: ["sleep", "600"], HostConfig: hostConfig };
  const { Id } = await part.ask<{ Id: string }>("POST", `/containers/create?name=${name}`, body);
  await part.ask("POST", `/containers/${Id}/start`);
  return Id;
}

/** As when the host goes down: daemon and containers at once. */
async function crash(refs: readonly string[]): Promise<void> {
  const pids = await Promise.all(refs.map(async (ref) => (await part.inspect(ref)).State.Pid));
  await part.daemon.kill();
  for (const pid of pids) {
    const supervisor = /^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    process.kill(Number(supervisor), "SIGKILL");
  }
}

describe("together with the daemon", () => {
  test(
    "F8: containers start again after those that they need",
    async () => {
      const always = policy("always");
      const early = await made("early", { ...always, VolumesFrom: [] });
      const owner = await made("owner", always);
      const guest = await made("guest", {
        ...always,
        NetworkMode: `container:${owner}`,
        VolumesFrom: ["early"],
      });
      const linked = await made("linked", { ...always, Links: ["owner:shop"] });
      // The lender of volumes is now younger than who borrows them.
      await part.remove(early);
      const late = await made("early", always);
      await crash([owner, guest, linked, late]);
      await part.daemon.start();
      const names = ["owner", "early", "guest", "linked"];
      await until(
        async () => (await Promise.all(names.map(seen))).map(({ State }) => State.Status),
        (all) => all.every((status) => status === "running"),
      );
      const at = async (name: string) => Date.parse((await seen(name)).State.StartedAt);
      expect(await at("owner")).toBeLessThanOrEqual(await at("guest"));
      expect(await at("early")).toBeLessThanOrEqual(await at("guest"));
      expect(await at("owner")).toBeLessThanOrEqual(await at("linked"));
      const hosts = await part.exec("linked", ["cat", "/etc/hosts"]);
      expect(hosts.stdout).toMatch(/\sshop\b/);
      for (const name of ["guest", "linked", "owner", "early"]) await part.remove(name);
    },
    PATIENCE,
  );

  test(
    "F8, E10: those start again whose policy says so, whatever a person has stopped",
    async () => {
      const table = [
        ["no", false, "exited"],
        ["always", false, "running"],
        ["always", true, "running"],
        ["unless-stopped", false, "running"],
        ["unless-stopped", true, "exited"],
        ["on-failure", false, "running"],
        ["on-failure", true, "exited"],
      ] as const;
      const name = (kind: string, isStopped: boolean) => `${kind}-${isStopped ? "stopped" : "lost"}`;
      for (const [kind, isStopped] of table) {
        const id = await made(name(kind, isStopped), policy(kind));
        if (isStopped) await part.ask("POST", `/containers/${id}/stop?t=0`);
      }
      await crash(table.filter(([, isStopped]) => !isStopped).map(([kind]) => name(kind, false)));
      await part.daemon.start();
      for (const [kind, isStopped, status] of table.filter((row) => row[2] === "running"))
        await until(
          () => seen(name(kind, isStopped)),
          ({ State }) => State.Status === status,
        );
      const found = await Promise.all(
        table.map(async ([kind, isStopped]) => [
          kind,
          isStopped,
          (await seen(name(kind, isStopped))).State.Status,
        ]),
      );
      expect(found).toEqual(table.map((row) => [...row]));
      expect((await seen(name("no", false))).State.ExitCode).toBe(255);
      for (const [kind, isStopped] of table) await part.remove(name(kind, isStopped));
    },
    PATIENCE,
  );
});

test(
  "F7: on-failure:2 starts a container that fails two more times, and counts",
  async () => {
    await using listener = await Listener.open(part.daemon.socket);
    const { id } = await part.start(sh("exit 3"), policy("on-failure", 2));
    for (let life = 0; life < 3; life++) await listener.next(id, "die");
    await until(
      () => seen(id),
      ({ State }) => State.Status === "exited",
    );
    expect(await seen(id)).toMatchObject({ RestartCount: 2, State: { ExitCode: 3 } });
    expect(listener.seen(id).filter((action) => action === "start").length).toBe(3);
    await part.remove(id);
  },
  PATIENCE,
);

test.each([
  [true, "is reaped by the small first process"],
  [false, "stays where the first process does not look after it"],
])(
  "F10: with --init %p an orphan %s",
  async (Init) => {
    const { id } = await part.start(["sleep", "600"], { Init });
    const name = (await part.exec(id, ["cat", "/proc/1/comm"])).stdout.trim();
    expect(name === "sleep").toBe(!Init);
    const { stdout: orphan } = await part.exec(id, sh("sleep 0.01 >/dev/null 2>&1 & echo $!"));
    const state = async () =>
      (
        await part.exec(id, sh(`grep State /proc/${orphan.trim()}/status 2>/dev/null || echo none`))
      ).stdout.trim();
    await until(state, (now) => (Init ? now === "none" : now.includes("zombie")));
    await part.remove(id);
  },
  PATIENCE,
);
