import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdir, symlink } from "node:fs/promises";
import { FakeRegistry } from "../fakes/registry.ts";
import { type Scratch, scratch } from "../fakes/scratch.ts";
import { BUNKER, type Outcome, run, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, requirePackages } from "../fixtures/index.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
const DOCKERS = ["/usr/bin/docker", "/usr/local/bin/docker"].filter((path) => Bun.which(path) !== null);

let place: Scratch;
let fake: FakeRegistry;
let daemon: TestDaemon;

/** In ssh's place: notes its words, and runs those for the other host by a shell, as sshd does. */
const SSH = `#!/bin/sh
echo "$*" >>"$SSH_LOG"
while [ "$1" != -- ]; do shift; done
shift 2
unset DOCKER_HOST
BUNKER_HOST="$REMOTE_DAEMON" PATH="$REMOTE_BIN" exec /bin/sh -c "$*"
`;

beforeAll(async () => {
  await requirePackages(["docker.io"]);
  place = await scratch();
  await mkdir(`${place.path}/bin`);
  await mkdir(`${place.path}/remote`);
  await Bun.write(`${place.path}/bin/ssh`, SSH);
  await chmod(`${place.path}/bin/ssh`, 0o755);
  for (const name of ["bunker", "docker"]) await symlink(BUNKER, `${place.path}/remote/${name}`);
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
  await daemon.ok("pull", "busybox");
}, 5 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
}, MINUTE);

interface Asked {
  readonly words: readonly string[];
  readonly program?: string;
  readonly host?: string;
  readonly input?: string | Uint8Array;
}

function ask({ words, program = BUNKER, host = "ssh://me@far:2222", input }: Asked): Promise<Outcome> {
  const environment = {
    DOCKER_HOST: host,
    BUNKER_HOST: program === BUNKER ? host : "",
    DOCKER_CONFIG: place.path,
    PATH: `${place.path}/bin:/usr/bin:/bin`,
    SSH_LOG: `${place.path}/log`,
    REMOTE_DAEMON: `unix://${daemon.socket}`,
    REMOTE_BIN: `${place.path}/remote:/usr/bin:/bin`,
  };
  return run([program, ...words], environment, input);
}

describe.each(["bunker", ...DOCKERS].map((name) => [name] as const))("%s over ssh://", (name) => {
  const program = name === "bunker" ? BUNKER : name;

  test(
    "asks, runs, and gets output and exit code back",
    async () => {
      const listed = await ask({ program, words: ["images", "--format", "{{.Repository}}"] });
      expect(listed).toEqual({ code: 0, stdout: "busybox\n", stderr: "" });
      const words = ["run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7"];
      expect(await ask({ program, words })).toEqual({ code: 7, stdout: "out\n", stderr: "err\n" });
    },
    MINUTE,
  );

  test(
    "ends its half, and what the container says afterwards still comes",
    async () => {
      const input = new Uint8Array(3_000_000).fill(97);
      const words = ["run", "--rm", "-i", "busybox", "sh", "-c", "wc -c; echo after the end"];
      const outcome = await ask({ program, words, input });
      expect(outcome).toEqual({ code: 0, stdout: "3000000\nafter the end\n", stderr: "" });
    },
    MINUTE,
  );
});

test("what ssh is told is the host, the user, the port, and the words for the other side", async () => {
  await ask({ words: ["ps"] });
  const log = (await Bun.file(`${place.path}/log`).text()).trim().split("\n");
  expect(log.at(-1)).toBe("-o ConnectTimeout=30 -l me -p 2222 -T -- far bunker system dial-stdio");
});

test("a path is the other daemon's socket", async () => {
  const right = await ask({ host: `ssh://far${daemon.socket}`, words: ["ps", "-q"] });
  expect(right).toEqual({ code: 0, stdout: "", stderr: "" });
  const wrong = await ask({ host: "ssh://far/no such/it's", words: ["ps", "-q"] });
  expect(wrong).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining("unix:///no such/it's"),
  });
});

test("system dial-stdio carries a request as it is, and ends with the daemon's last byte", async () => {
  const request = "GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const environment = { BUNKER_HOST: `unix://${daemon.socket}` };
  const { code, stdout } = await run([BUNKER, "system", "dial-stdio"], environment, request);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nOK$/)]);
});
