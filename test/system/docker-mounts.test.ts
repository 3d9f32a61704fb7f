import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { scratch } from "../fakes/scratch.ts";
import { type Outcome, run as runProgram } from "../fixtures/daemon.ts";
import { PATIENCE } from "../fixtures/host-part.ts";
import { requirePackages } from "../fixtures/index.ts";
import { type MountHouse, openMountHouse } from "../fixtures/mount-house.ts";

/** Debian's docker.io; another in PATH is not asked for. */
const DOCKER = "/usr/bin/docker";
let house: MountHouse;

beforeAll(async () => {
  await requirePackages(["docker.io"]);
  house = await openMountHouse();
}, PATIENCE);
afterAll(() => house?.[Symbol.asyncDispose](), PATIENCE);

async function ask(...words: readonly string[]): Promise<Outcome> {
  await using home = await scratch();
  return runProgram([DOCKER, ...words], {
    DOCKER_HOST: `unix://${house.part.daemon.socket}`,
    DOCKER_CONFIG: home.path,
  });
}

async function docker(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await ask(...words);
  if (code !== 0) throw new Error(`docker ${words.join(" ")} ended with ${code}: ${stderr}${stdout}`);
  return stdout.trim();
}

const run = (words: readonly string[], script: string) =>
  docker("run", "--rm", "--network", "none", ...words, "busybox", "sh", "-c", script);

describe("Debian's docker client", () => {
  test("binds, makes tmpfs and volumes by both flags", async () => {
    const path = house.folder();
    const words = [
      ...[
        "-v",
        `${path}:/a:ro`,
        "--mount",
        `type=bind,src=${path},dst=/b,readonly,bind-propagation=rprivate`,
      ],
      ...["--tmpfs", "/c:size=1m,mode=700", "--mount", "type=tmpfs,dst=/d,tmpfs-size=65536,tmpfs-mode=1770"],
      ...["-v", "dv:/e", "--mount", "type=volume,src=dw,dst=/etc,volume-nocopy,volume-label=a=b"],
    ];
    const script =
      "cat /a/file /b/file; for d in a b e etc; do touch /$d/x 2>/dev/null && echo $d; done; stat -c %a /c /d";
    expect(await run(words, script)).toBe("of the host\nof the host\ne\netc\n700\n1770");
    expect(await docker("volume", "inspect", "-f", "{{.Labels}}", "dw")).toBe("map[a:b]");
    await docker("volume", "rm", "dv", "dw");
  });

  test("takes volumes from another container, and reads of them in inspect", async () => {
    const path = house.folder();
    await docker("create", "--name", "giver", "-v", "/own", "-v", `${path}:/bound`, "busybox", "true");
    const script = "cat /bound/file; touch /own/x 2>/dev/null || echo refused";
    expect(await run(["--volumes-from", "giver:ro"], script)).toBe("of the host\nrefused");
    const format = "{{range .Mounts}}{{.Type}} {{.Destination}} {{.Mode}} {{.RW}} {{.Propagation}}\n{{end}}";
    const lines = (await docker("inspect", "-f", format, "giver")).split("\n");
    expect(lines.toSorted()).toEqual(["bind /bound  true rprivate", "volume /own  true"]);
    expect(
      await docker("ps", "-a", "--no-trunc", "--filter", `volume=${path}`, "--format", "{{.Names}}"),
    ).toBe("giver");
    await docker("rm", "-v", "giver");
  });

  test("reads refusals that it knows", async () => {
    const path = house.folder();
    for (const [words, said] of [
      [["-v", `${path}:/`], "invalid specification: destination can't be '/'"],
      [["-v", `${path}:/x:bogus`], "invalid mode: bogus"],
      [["--mount", "type=bind,src=/nowhere,dst=/x"], "bind source path does not exist: /nowhere"],
      [["-v", `${path}:/x`, "--tmpfs", "/x"], "Duplicate mount point: /x"],
      [["-v", `${path}:/x:rshared`], "but it is not a shared mount"],
      [["--tmpfs", "/x:foo=bar"], 'invalid tmpfs option ["foo" "bar"]'],
    ] as const) {
      const { code, stderr } = await ask("run", "--rm", ...words, "busybox", "true");
      expect([code, stderr]).toEqual([125, expect.stringContaining(said)]);
    }
  });

  test("names owners for idmap in the words of -v", async () => {
    const path = house.folder();
    const owners = "uids=0-1000-1;gids=0-100-1";
    expect(await run(["-v", `${path}:/x:idmap=${owners}`], "stat -c %u:%g /x/file")).toBe("1000:100");
  });
});
