import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FakeRegistry } from "../fakes/registry.ts";
import { type Scratch, scratch } from "../fakes/scratch.ts";
import { BUNKER, type Outcome, run, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, requirePackages } from "../fixtures/index.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
/** Debian's docker.io; another in PATH is not asked for. */
const DOCKER = "/usr/bin/docker";
/** The newest that Debian's client speaks: both ask for it, and get the same fields. */
const API_VERSION = "1.41";
/** Times in words ("5 seconds ago") move on between two programs: then both are asked again. */
const ATTEMPTS = 5;

/** Where docker's newer clients, which bunker follows, print something else than 20.10: what 20.10 says, made new. */
type Renewal = readonly [reason: string, renew: (text: string) => string];

const withColumns =
  (...columns: readonly (readonly [name: string, value: string])[]) =>
  (text: string) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => {
        const row: Record<string, unknown> = { ...JSON.parse(line), ...Object.fromEntries(columns) };
        return `${JSON.stringify(Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1))))}\n`;
      })
      .join("");
const NETWORK_COLUMN: Renewal = ["newer clients have a column IPv4", withColumns(["IPv4", "false"])];
const VOLUME_COLUMNS: Renewal = [
  "newer clients have columns of cluster volumes",
  withColumns(["Availability", "N/A"], ["Group", "N/A"], ["Status", "N/A"]),
];

const COMMANDS: readonly (readonly [words: string, renewal?: Renewal])[] = [
  ["ps"],
  ["ps -a"],
  ["ps -aq"],
  ["ps -aq --no-trunc"],
  ["ps -a --no-trunc"],
  ["ps -as"],
  ["ps -n 2"],
  ["ps -l"],
  ["ps -a --format {{json~.}}"],
  ["ps -a --format table~{{.Names}}\\t{{.Mounts}}\\t{{.Networks}}\\t{{.LocalVolumes}}"],
  ['ps -a --format {{.Names}}:{{.Label~"tier"}}~{{.State}}~{{.Size}}~{{upper~.Image}}'],
  ["ps -a --filter status=exited --filter exited=3"],
  ["container ls -a --filter volume=data --format {{.Names}}"],
  ["images"],
  ["images -a"],
  ["images -q"],
  ["images --no-trunc"],
  ["images --digests"],
  ["images busybox"],
  ["images --filter dangling=true"],
  ["images --filter reference=bus* --format {{.Repository}}:{{.Tag}}~{{.ID}}~{{.Size}}"],
  ["images --format {{json~.}}"],
  ["image ls --format table~{{.Repository}}\\t{{.Digest}}"],
  ["history busybox"],
  ["history --no-trunc busybox"],
  ["history -q busybox"],
  ["history -H=false busybox"],
  ["history --format {{json~.}} busybox"],
  ["network ls"],
  ["network ls -q --no-trunc"],
  ["network ls --filter driver=bridge"],
  ["network ls --format {{json~.}}", NETWORK_COLUMN],
  ["network inspect front bridge"],
  ["network inspect -f {{.Name}}~{{json~.Labels}}~{{json~.IPAM.Config}} front none"],
  ["network inspect nope"],
  ["volume ls"],
  ["volume ls -q --filter label=a=b"],
  ["volume ls --format {{json~.}}", VOLUME_COLUMNS],
  ["volume inspect data logs"],
  ["volume inspect -f {{.Mountpoint}} data nope"],
  ["inspect web"],
  ["inspect -s db"],
  ["inspect web data front busybox"],
  ["inspect --type image busybox"],
  ["inspect nope"],
  ["inspect -f {{range~.Mounts}}{{.Name}}~{{end}}{{json~.State.Running}} db"],
  ["inspect -f {{.Config.Env}}~{{.HostConfig.PortBindings}}~{{.Mounts}} web"],
  ['inspect -f {{index~.Config.Labels~"tier"}}~{{len~.Mounts}}~{{.Created}} web'],
  ["inspect -f {{.Nope}} web"],
  ["inspect -f {{.Id}} nope"],
  ["container inspect db"],
  ['image inspect -f {{.Os}}/{{.Architecture}}~{{.Size}}~{{join~.RepoTags~","}} busybox'],
  ["port web"],
  ["port web 80/tcp"],
  ["port web 81"],
  ["top web"],
  ["top web -o pid,comm"],
  ["diff done"],
  ["logs done"],
  ["logs -t --tail 1 done"],
  ["logs --details done"],
  ["logs nope"],
  ["wait done"],
  ["version --format {{json~.Server}}"],
  ["info --format {{.Driver}}~{{.Containers}}~{{.ContainersRunning}}~{{json~.Plugins.Volume}}"],
  ["system df"],
  ["system df --format {{json~.}}"],
  ["events --since 10m --until 0s"],
  ["events --since 10m --until 0s --format {{json~.}}"],
  ["events --since 10m --until 0s --filter container=done --format {{.Action}}~{{.Actor.Attributes.name}}"],
  ["stats --no-stream --format {{.Name}}~{{.Container}} web"],
  ["bogus"],
  ["ps --bogus"],
  ["ps extra"],
  ["rm"],
  ["exec nope true"],
  ["cp nope:/x /nowhere"],
];

let fake: FakeRegistry;
let daemon: TestDaemon;
let home: Scratch;

beforeAll(async () => {
  await requirePackages(["docker.io"]);
  fake = await FakeRegistry.start();
  home = await scratch();
  await serveImage(fake, "library/busybox", await busyboxImage());
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
  const local = ["-p", "127.0.0.1:8081:80", "-p", "127.0.0.1:9000-9002:9000-9002"];
  for (const words of [
    ["pull", "-q", "busybox"],
    ["tag", "busybox", "other/name:v1"],
    ["tag", "busybox", "localhost:5000/x:y"],
    ["volume", "create", "data"],
    ["volume", "create", "--label", "a=b", "logs"],
    ["network", "create", "--label", "x=y", "front"],
    ["network", "create", "--internal", "back"],
    [
      "run",
      "-d",
      "--name",
      "web",
      ...local,
      "-l",
      "tier=web",
      "-v",
      "data:/data",
      "-e",
      "A=B",
      "busybox",
      "sleep",
      "900",
    ],
    [
      "run",
      "-d",
      "--name",
      "db",
      "--network",
      "front",
      "-v",
      "logs:/logs",
      "-v",
      "/tmp:/host:ro",
      "busybox",
      "sleep",
      "900",
    ],
    ["create", "--name", "new", "-it", "busybox", "sh"],
    ["pause", "db"],
  ])
    await daemon.ok(...words);
  const done = "echo out; echo err >&2; echo x > /made; rm /etc/passwd; exit 3";
  expect((await daemon.cli("run", "--name", "done", "busybox", "sh", "-c", done)).code).toBe(3);
}, 5 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
}, MINUTE);

/** Every word apart by a blank; a tilde stands for a blank within a word. */
function ask(program: string, words: string): Promise<Outcome> {
  const environment = {
    DOCKER_HOST: `unix://${daemon.socket}`,
    BUNKER_HOST: "",
    DOCKER_CONFIG: home.path,
    DOCKER_API_VERSION: API_VERSION,
  };
  return run([program, ...words.split(" ").map((word) => word.replaceAll("~", " "))], environment);
}

describe("Debian's docker client and bunker print the same on standard output, and end with the same code", () => {
  test.each(COMMANDS.map(([words, renewal]) => [words, renewal?.[0] ?? "", renewal] as const))(
    "%s %s",
    async (words, _, renewal) => {
      let docker: Outcome;
      let bunker: Outcome;
      let attempt = 0;
      do {
        [docker, bunker] = await Promise.all([ask(DOCKER, words), ask(BUNKER, words)]);
        if (renewal !== undefined) docker = { ...docker, stdout: renewal[1](docker.stdout) };
        attempt++;
      } while (docker.stdout !== bunker.stdout && attempt < ATTEMPTS);
      expect({ code: bunker.code, stdout: bunker.stdout }).toEqual({
        code: docker.code,
        stdout: docker.stdout,
      });
    },
    MINUTE,
  );

  test("and there are more than forty such commands, few of which needed a reason to differ", () => {
    expect(COMMANDS.length).toBeGreaterThan(40);
    expect(COMMANDS.filter(([, renewal]) => renewal !== undefined).length).toBeLessThan(5);
  });
});
