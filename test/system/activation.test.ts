import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { FakeRegistry } from "../fakes/registry.ts";
import { type Scratch, scratch } from "../fakes/scratch.ts";
import { Authority, type Party } from "../fixtures/certificates.ts";
import { BUNKER, run, TestDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/host-part.ts";
import { busyboxImage, requirePackages } from "../fixtures/index.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
const TCP = "127.0.0.1:23763";
/** As systemd does: sockets first, and the daemon in the same process when the first client comes. */
const ACTIVATE = `exec systemd-socket-activate -l "$5/bunker.sock" -l ${TCP} --fdname=main:far "$0" "$@"`;
const NOBODY = { DOCKER_HOST: "", BUNKER_HOST: "", DOCKER_TLS_VERIFY: "", DOCKER_CERT_PATH: "" };

let place: Scratch;
let fake: FakeRegistry;
let daemon: TestDaemon;
let client: Party;

beforeAll(async () => {
  await requirePackages(["systemd", "openssl"]);
  place = await scratch();
  const authority = await Authority.make(place.path, "ours");
  const server = await authority.sign("daemon", { address: "127.0.0.1" });
  client = await authority.sign("user", "client");
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  const keys = [
    "--tlsverify",
    `--tlscacert=${server.ca}`,
    `--tlscert=${server.cert}`,
    `--tlskey=${server.key}`,
  ];
  const args = ["--registry-mirror", fake.url, "-H", "fd://", ...keys];
  const prefix = ["sh", "-c", ACTIVATE];
  daemon = await TestDaemon.start({ prefix, args });
  await daemon.ok("pull", "busybox");
}, 5 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
}, MINUTE);

test(
  "over a socket that was handed over, streams come back, and each half ends by itself",
  async () => {
    const input = new Uint8Array(3_000_000).fill(97);
    const words = ["run", "--rm", "-i", "busybox", "sh", "-c", "wc -c; echo after the end; exit 7"];
    const outcome = await run([BUNKER, ...words], { BUNKER_HOST: `unix://${daemon.socket}` }, input);
    expect(outcome).toEqual({ code: 7, stdout: "3000000\nafter the end\n", stderr: "" });
  },
  MINUTE,
);

test(
  "tcp that was handed over is spoken to with TLS and certificates, as tcp:// is",
  async () => {
    const flags = ["--tlsverify", "--tlscacert", client.ca, "--tlscert", client.cert, "--tlskey", client.key];
    const words = ["run", "--rm", "busybox", "echo", "far"];
    const outcome = await run([BUNKER, "-H", `tcp://${TCP}`, ...flags, ...words], NOBODY);
    expect(outcome).toEqual({ code: 0, stdout: "far\n", stderr: "" });
    const open = await run([BUNKER, "-H", `tcp://${TCP}`, "ps"], NOBODY);
    expect(open).toMatchObject({ code: 1, stdout: "" });
  },
  MINUTE,
);

/** The one process that takes this daemon's connections. */
function front(): number {
  const children = readFileSync(`/proc/${daemon.pid}/task/${daemon.pid}/children`, "utf8").trim().split(" ");
  const names = children.map((pid) => [pid, readFileSync(`/proc/${pid}/comm`, "utf8").trim()] as const);
  const found = names.flatMap(([pid, name]) => (name === "bunker-front" ? [Number(pid)] : []));
  expect(found.length).toBe(1);
  return found[0] ?? 0;
}

test("what takes the connections can do nothing else that root can", () => {
  const status = readFileSync(`/proc/${front()}/status`, "utf8");
  expect(status).toMatch(/^CapEff:\t0+$/m);
  expect(status).toMatch(/^CapPrm:\t0+$/m);
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
});

test(
  "killed, it is started again; when the daemon is killed it goes as well",
  async () => {
    const first = front();
    process.kill(first, "SIGKILL");
    const answers = async () => (await daemon.cli("ps", "-q")).code;
    await until(answers, (code) => code === 0);
    const second = front();
    expect(second).not.toBe(first);
    await daemon.kill();
    await until(
      () => Bun.file(`/proc/${second}/comm`).exists(),
      (isThere) => !isThere,
    );
    await daemon.start();
    expect((await daemon.cli("ps", "-q")).code).toBe(0);
  },
  MINUTE,
);

test("fd:// without a socket that was handed over is refused", async () => {
  const words = [
    "--data-root",
    `${place.path}/d`,
    "--exec-root",
    `${place.path}/r`,
    "--config-file",
    "/dev/null",
  ];
  const outcome = await run([BUNKER, "daemon", ...words, "-H", "fd://"]);
  expect(outcome).toMatchObject({ code: 1, stderr: expect.stringMatching(/no sockets were handed over/) });
  expect(await Bun.file(`${place.path}/d`).exists()).toBe(false);
});
