import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { scratch } from "../fakes/scratch.ts";
import { run } from "../fixtures/daemon.ts";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";

const compiler = Bun.which("musl-gcc") ?? Bun.which("cc");
const missing = compiler === null ? " (skipped: needs musl-gcc or cc)" : "";
/** How long the attacker has. */
const TRIAL_MILLISECONDS = 10_000;
const LONGEST_TRIAL_MILLISECONDS = 60_000;
const SECRET = "the host's own file";

interface Attempt {
  readonly host: object;
  readonly settings?: object;
  /** What it prints tells what it was given. */
  readonly script: string;
}

/**
 * A container exchanges a folder with a link to the host, as fast as it can, in a bind and in a volume that it shares
 * with others. Those are started meanwhile with mounts, parts of volumes and a working directory beneath it.
 */
test.skipIf(compiler === null)(
  `A7: what another container exchanges meanwhile leads nobody out of his root${missing}`,
  async () => {
    await using home = await scratch();
    const canary = hostFolder(`${home.path}/canary`);
    const source = hostFolder(`${home.path}/source`);
    const tools = `${home.path}/tools`;
    mkdirSync(tools);
    const swap = `${import.meta.dir}/../fixtures/swap.c`;
    expect((await run([compiler ?? "", "-static", "-o", `${tools}/swap`, swap])).stderr).toBe("");
    chmodSync(`${tools}/swap`, 0o755);

    await using part = await HostPart.open("busybox");
    await part.ask("POST", "/volumes/create", { Name: "shared" });
    const { Mountpoint: volume } = await part.ask<{ Mountpoint: string }>("GET", "/volumes/shared");
    const bound = `${home.path}/bound`;
    for (const folder of [`${volume}/one`, `${volume}/two`, `${bound}/one`]) trap(folder, canary);
    symlinkSync("../../../../../../../../../../../../../..", `${bound}/up`);
    const before = readFileSync("/proc/self/mountinfo", "utf8");

    const attacker = await part.start(["/tools/swap", "/s/one", "/v/one", "/v/two"], {
      Binds: [`${bound}:/s`, "shared:/v", `${tools}:/tools:ro`],
    });
    await until(
      () => part.logs(attacker.id),
      ({ stdout }) => stdout === "swapping\n",
    );
    const seen = await attack(part, attempts({ bound, source }));
    expect((await part.inspect(attacker.id)).State.Status).toBe("running");
    await part.remove(attacker.id);

    expect(seen.output).not.toContain(SECRET);
    expect(readdirSync(canary, { recursive: true }).toSorted()).toEqual(["file", "sub", "sub/file"]);
    expect(readFileSync(`${canary}/file`, "utf8")).toBe(`${SECRET}\n`);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
    // Both ways were taken, or there was no race: some found the folder, and some the link.
    expect(seen.started).toBeGreaterThan(10);
    expect(seen.failed).toBeGreaterThan(0);
    expect(seen.output).toContain("of the volume");
    await part.ask("DELETE", "/volumes/shared");
  },
  PATIENCE,
);

/** A folder of the host that no container is to see. */
function hostFolder(path: string): string {
  mkdirSync(`${path}/sub`, { recursive: true });
  for (const name of ["file", "sub/file"]) writeFileSync(`${path}/${name}`, `${SECRET}\n`);
  return path;
}

/** A folder `a` and a link `b` of the same insides, to be exchanged. */
function trap(folder: string, canary: string): void {
  mkdirSync(`${folder}/a/sub`, { recursive: true });
  writeFileSync(`${folder}/a/sub/file`, "of the volume\n");
  writeFileSync(`${folder}/a/file`, "of the volume\n");
  symlinkSync(canary, `${folder}/b`);
}

function attempts({ bound, source }: Readonly<Record<"bound" | "source", string>>): readonly Attempt[] {
  const part = (Subpath: string) => ({
    Type: "volume",
    Source: "shared",
    Target: "/x",
    VolumeOptions: { Subpath },
  });
  return [
    { host: { Mounts: [part("one/a/sub")] }, script: "cat /x/file" },
    { host: { Mounts: [part("two/a")] }, script: "cat /x/file; echo x > /x/written" },
    { host: { Mounts: [part("one/a/file")] }, script: "cat /x" },
    { host: { Binds: [`${bound}:/s`], Tmpfs: { "/s/one/a/deep": "" } }, script: "ls /s/one/a" },
    { host: { Binds: [`${bound}:/s`, `${source}:/s/one/a/made:ro`] }, script: "ls /s/one/b/../.." },
    { host: { Binds: [`${bound}:/s`, `${source}/file:/s/one/a/sub/file:ro`] }, script: "true" },
    { host: { Binds: ["shared:/v", "shared:/v/one/a/again"] }, script: "cat /v/two/a/file" },
    { host: { Binds: [`${bound}:/s`] }, settings: { WorkingDir: "/s/one/a/work" }, script: "cat ../file" },
    { host: { Binds: [`${bound}:/s`, `${source}:/s/up/s/one/a/x:ro`] }, script: "true" },
  ];
}

/** Two at a time, for so long; on a busy machine until both ways have been taken. */
async function attack(part: HostPart, all: readonly Attempt[]) {
  const seen = { output: "", started: 0, failed: 0 };
  const begun = Date.now();
  const wasRace = () => seen.started > 10 && seen.failed > 0 && seen.output.includes("of the volume");
  const isOn = () => Date.now() - begun < (wasRace() ? TRIAL_MILLISECONDS : LONGEST_TRIAL_MILLISECONDS);
  const loop = async (first: number) => {
    for (let at = first; isOn(); at += 1) await attempt(part, all[at % all.length], seen);
  };
  await Promise.all([loop(0), loop(4)]);
  return seen;
}

async function attempt(
  part: HostPart,
  one: Attempt | undefined,
  seen: { output: string; started: number; failed: number },
): Promise<void> {
  if (one === undefined) return;
  const { Id: id } = await part.ask<{ Id: string }>("POST", "/containers/create", {
    Image: "busybox",
    Cmd: ["sh", "-c", one.script],
    NetworkDisabled: true,
    HostConfig: { ...one.host, NetworkMode: "none" },
    ...one.settings,
  });
  const reply = await part.daemon.request("POST", `/containers/${id}/start`);
  await reply.text();
  if (reply.ok) {
    seen.started += 1;
    await part.ask("POST", `/containers/${id}/wait`);
    const { stdout, stderr } = await part.logs(id);
    seen.output = seen.output.length < 1_000_000 ? `${seen.output}${stdout}${stderr}` : seen.output;
    if (`${stdout}${stderr}`.includes(SECRET)) seen.output = `${stdout}${stderr}`;
  } else seen.failed += 1;
  await part.ask("DELETE", `/containers/${id}?force=1`);
}
