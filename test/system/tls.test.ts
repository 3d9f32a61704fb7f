import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FakeRegistry } from "../fakes/registry.ts";
import { type Scratch, scratch } from "../fakes/scratch.ts";
import { Authority, type Party } from "../fixtures/certificates.ts";
import { BUNKER, type Outcome, run, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, requirePackages } from "../fixtures/index.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
const VERIFIED = "tcp://127.0.0.1:23761";
const PLAIN_TEXT_CLIENTS = { DOCKER_HOST: "", BUNKER_HOST: "", DOCKER_TLS_VERIFY: "", DOCKER_CERT_PATH: "" };
/** Debian's, and another where somebody has put one. */
const DOCKERS = ["/usr/bin/docker", "/usr/local/bin/docker"].filter((path) => Bun.which(path) !== null);

let place: Scratch;
let fake: FakeRegistry;
let daemon: TestDaemon;
let server: Party;
let client: Party;
let stranger: Party;
let impostor: Party;

const serving = ({ ca, cert, key }: Party) => ({ tlscacert: ca, tlscert: cert, tlskey: key });
const flagsOf = (keys: Party): string[] =>
  Object.entries(serving(keys)).flatMap(([name, path]) => [`--${name}`, path]);

beforeAll(async () => {
  await requirePackages(["docker.io", "openssl"]);
  place = await scratch();
  const [ours, theirs] = [
    await Authority.make(place.path, "ours"),
    await Authority.make(place.path, "theirs"),
  ];
  server = await ours.sign("daemon", { address: "127.0.0.1" });
  impostor = await ours.sign("elsewhere", { address: "127.9.9.9" });
  client = await ours.sign("user", "client");
  stranger = await theirs.sign("stranger", "client");
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  const file = `${place.path}/daemon.json`;
  await Bun.write(file, "{}");
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url, "--config-file", file] });
  await daemon.ok("pull", "busybox");
  await listenOn(VERIFIED, { tlsverify: true, ...serving(server) });
}, 5 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
}, MINUTE);

/** The daemon anew, with this address beside its own socket. */
async function listenOn(address: string, settings: object): Promise<void> {
  await daemon.stop();
  const hosts = [`unix://${daemon.socket}`, address];
  await Bun.write(`${place.path}/daemon.json`, JSON.stringify({ hosts, ...settings }));
  await daemon.start();
}

interface Asked {
  readonly program?: string;
  readonly words: readonly string[];
  readonly keys?: Party;
  readonly input?: string | Uint8Array;
}

/** With keys as flags that come before the command. */
function ask({ program = BUNKER, words, keys, input }: Asked): Promise<Outcome> {
  const flags = keys === undefined ? [] : ["--tlsverify", ...flagsOf(keys)];
  const environment = { ...PLAIN_TEXT_CLIENTS, DOCKER_CONFIG: place.path };
  return run([program, "-H", VERIFIED, ...flags, ...words], environment, input);
}

describe.each([["bunker", BUNKER], ...DOCKERS.map((path) => [path, path] as const)])(
  "%s over TLS with certificates on both sides",
  (_, program) => {
    test(
      "asks for the version and runs a container whose end and output come back",
      async () => {
        const version = await ask({
          program,
          keys: client,
          words: ["version", "--format", "{{.Server.Version}}"],
        });
        expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/\S+\n/) });
        const words = ["run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7"];
        expect(await ask({ program, keys: client, words })).toEqual({
          code: 7,
          stdout: "out\n",
          stderr: "err\n",
        });
      },
      MINUTE,
    );

    test(
      "ends its half, and what the container says afterwards still comes",
      async () => {
        const input = new Uint8Array(3_000_000).fill(97);
        const script = "wc -c; echo after the end";
        const words = ["run", "--rm", "-i", "busybox", "sh", "-c", script];
        const attached = await ask({ program, keys: client, words, input });
        expect(attached).toEqual({ code: 0, stdout: "3000000\nafter the end\n", stderr: "" });
        await daemon.ok("run", "-d", "--name", "held", "busybox", "sleep", "600");
        const execed = await ask({
          program,
          keys: client,
          words: ["exec", "-i", "held", "sh", "-c", script],
          input,
        });
        await daemon.ok("rm", "-f", "held");
        expect(execed).toEqual({ code: 0, stdout: "3000000\nafter the end\n", stderr: "" });
      },
      MINUTE,
    );

    test("without a certificate, or with one of another authority, nothing is answered", async () => {
      const nobody = await run([program, "-H", VERIFIED, "--tlsverify", "--tlscacert", client.ca, "ps"], {
        ...PLAIN_TEXT_CLIENTS,
        DOCKER_CONFIG: place.path,
      });
      expect(nobody).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/certificate/i) });
      const foreign = { ...stranger, ca: client.ca };
      const other = await ask({ program, keys: foreign, words: ["ps"] });
      expect(other).toMatchObject({ code: 1, stdout: "" });
      const plain = await ask({ program, words: ["ps"] });
      expect(plain).toMatchObject({ code: 1, stdout: "" });
    });

    test("a daemon whose certificate another authority has signed is not spoken to", async () => {
      const suspicious = { ...client, ca: stranger.ca };
      const outcome = await ask({ program, keys: suspicious, words: ["ps"] });
      expect(outcome).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/certificate/i) });
    });

    test("the environment says the same as the flags", async () => {
      const environment = { DOCKER_HOST: VERIFIED, DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: client.folder };
      const outcome = await run([program, "ps", "-q"], { ...PLAIN_TEXT_CLIENTS, ...environment });
      expect(outcome).toEqual({ code: 0, stdout: "", stderr: "" });
    });
  },
);

test("versions before TLS 1.2 are refused", async () => {
  const connect = ["openssl", "s_client", "-connect", "127.0.0.1:23761", "-cipher", "ALL:@SECLEVEL=0"];
  const keys = ["-cert", client.cert, "-key", client.key];
  const old = await run([...connect, ...keys, "-tls1_1"], {}, "");
  expect(old.stdout + old.stderr).toMatch(/alert protocol version|unsupported protocol/i);
  const current = await run([...connect, ...keys, "-tls1_2"], {}, "");
  expect(current.stdout).toMatch(/Protocol *: TLSv1\.2/);
});

test("clients that break off or speak no TLS disturb nobody", async () => {
  for (const bytes of ["GET /_ping HTTP/1.1\r\n\r\n", "\x16\x03\x01\x40\x00", ""]) {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port: 23761, socket: { data() {} } });
    socket.write(bytes);
    socket.end();
  }
  expect((await ask({ keys: client, words: ["ps", "-q"] })).code).toBe(0);
});

test(
  "a certificate for another address is not taken for the daemon's, unless nobody looks",
  async () => {
    await listenOn(VERIFIED, { tlsverify: true, ...serving(impostor) });
    for (const program of [BUNKER, ...DOCKERS]) {
      const wrong = await ask({ program, keys: client, words: ["ps"] });
      expect(wrong).toMatchObject({ code: 1, stderr: expect.stringMatching(/127\.9\.9\.9/) });
      const flags = ["--tls", "--tlsverify=false", ...flagsOf(client)];
      const blind = await run([program, "-H", VERIFIED, ...flags, "ps", "-q"], PLAIN_TEXT_CLIENTS);
      expect(blind).toEqual({ code: 0, stdout: "", stderr: "" });
    }
  },
  MINUTE,
);

test(
  "with --tlsverify=false any client is let in, over TLS alone",
  async () => {
    await listenOn(VERIFIED, { tlsverify: false, ...serving(server) });
    for (const program of [BUNKER, ...DOCKERS]) {
      const flags = ["--tlsverify", "--tlscacert", client.ca];
      const outcome = await run([program, "-H", VERIFIED, ...flags, "ps", "-q"], {
        ...PLAIN_TEXT_CLIENTS,
        DOCKER_CONFIG: place.path,
      });
      expect(outcome).toEqual({ code: 0, stdout: "", stderr: "" });
      expect((await ask({ program, words: ["ps"] })).code).toBe(1);
    }
  },
  MINUTE,
);

test(
  "without TLS it listens only where it is told that all who can connect are trusted",
  async () => {
    await listenOn("tcp://127.0.0.1:23762", { "insecure-tcp": true });
    const outcome = await run([BUNKER, "-H", "tcp://127.0.0.1:23762", "ps", "-q"], PLAIN_TEXT_CLIENTS);
    expect(outcome).toEqual({ code: 0, stdout: "", stderr: "" });
    const { Warnings } = await daemon.json<{ Warnings: readonly string[] }>("/info");
    expect(Warnings).toContainEqual(expect.stringMatching(/tcp:\/\/127\.0\.0\.1:23762 without encryption/));
    await daemon.stop();
    expect(await daemon.log()).toMatch(/warn API is reached on tcp:\/\/127\.0\.0\.1:23762/);
    await daemon.start();
  },
  MINUTE,
);
