import { describe, expect, test } from "bun:test";
import { ClosedPipe } from "../../../src/cli/console.ts";
import { BROKEN_OFF, startExitCode } from "../../../src/cli/outcome.ts";
import { keysOf, watchKeys } from "../../../src/cli/terminal.ts";
import { told } from "../../fakes/fake-console.ts";
import { type FakeConnection, type FakeRequest, fakeDaemon, frame } from "../../fakes/fake-daemon.ts";
import { scratch } from "../../fakes/scratch.ts";

const ID = "c".repeat(64);

interface Script {
  /** What the container prints, as frames. */
  readonly output?: readonly Uint8Array[];
  readonly exit?: { StatusCode: number; Error?: { Message: string } };
  /** How many creates find no image. */
  readonly missing?: number;
  readonly startFailure?: string;
  readonly pull?: readonly object[];
}

/** A daemon that runs one container by a script: output when it starts, then the exit. */
function container({
  output = [],
  exit = { StatusCode: 0 },
  missing = 0,
  startFailure,
  pull = [],
}: Script = {}) {
  let attached: FakeConnection | undefined;
  let waiting: FakeConnection | undefined;
  let creates = 0;
  return fakeDaemon(({ target }: FakeRequest, connection: FakeConnection) => {
    const verb = target.replace(/\?.*/, "").split("/").at(-1);
    if (verb === "create" && target.startsWith("/images")) {
      connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      const text = pull.map((line) => `${JSON.stringify(line)}\r\n`).join("");
      connection.write(`${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`);
    } else if (verb === "create" && creates++ < missing)
      connection.reply(404, { message: "No such image: img:latest" });
    else if (verb === "create") connection.reply(201, { Id: ID, Warnings: creates === 1 ? ["no swap"] : [] });
    else if (verb === "attach") {
      attached = connection;
      connection.upgrade();
    } else if (verb === "wait") {
      waiting = connection;
      connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    } else if (verb === "start" && startFailure !== undefined) {
      connection.reply(400, { message: startFailure });
      finish(waiting, { StatusCode: 127 });
    } else if (verb === "start") {
      connection.reply(204, undefined);
      for (const part of output) attached?.write(part);
      attached?.end();
      finish(waiting, exit);
    } else connection.reply(404, { message: "page not found" });
  });
}

/** As bunker's own daemon runs it: output, and how it ended or why it could not begin, unless the stream broke off. */
function containerInOne(output: readonly Uint8Array[], warned = "") {
  return fakeDaemon(({ target }: FakeRequest, connection: FakeConnection) => {
    if (target.includes("/wait")) return connection.reply(200, { StatusCode: 4 });
    connection.upgrade(`application/vnd.docker.multiplexed-stream\r\nBunker-Run: ${ID}${warned}`);
    for (const part of output) connection.write(part);
    connection.end();
  });
}

function finish(waiting: FakeConnection | undefined, exit: object): void {
  const text = `${JSON.stringify(exit)}\n`;
  waiting?.write(`${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`);
}

const verbs = ({ requests }: { requests: readonly FakeRequest[] }) =>
  requests.map(({ target }) => target.replace(ID, "ID").replace(/^\/containers\//, ""));

describe("bunker run", () => {
  test("attaches and waits before it starts, and passes output and exit code on", async () => {
    await using daemon = await container({
      output: [frame(1, "out"), frame(2, "err"), frame(1, " more")],
      exit: { StatusCode: 3 },
    });
    const result = await told(daemon.host, ["run", "--rm", "img", "sh"]);
    expect(result).toEqual({ code: 3, out: "out more", err: "WARNING: no swap\nerr" });
    const [inOne, create, first, second, start] = verbs(daemon);
    expect([inOne, create]).toEqual(["/bunker/containers/run?condition=removed", "create"]);
    expect([first, second].sort()).toEqual([
      "ID/attach?stream=1&stdout=1&stderr=1",
      "ID/wait?condition=removed",
    ]);
    expect(start).toBe("ID/start");
    expect(daemon.requests).toHaveLength(5);
  });

  test("is attached, waited for and started in one call where the daemon knows that", async () => {
    await using daemon = await containerInOne(
      [frame(1, "out"), frame(2, "err"), frame(4, "3")],
      `\r\nBunker-Warnings: ${encodeURIComponent('["no swap"]')}`,
    );
    const result = await told(daemon.host, ["run", "--rm", "img", "sh"]);
    expect(result).toEqual({ code: 3, out: "out", err: "WARNING: no swap\nerr" });
    expect(verbs(daemon)).toEqual(["/bunker/containers/run?condition=removed"]);
    expect(JSON.parse(daemon.requests[0]?.body ?? "")).toMatchObject({ Image: "img", Cmd: ["sh"] });
  });

  test.each([
    ["with a terminal", ["-t"]],
    ["with a long environment", ["-e", `A=${"x".repeat(20_000)}`]],
    ["with a file for its id", ["--cidfile", "ID"]],
  ])("%s is begun by Docker's calls at once", async (_title, [flag = "", value]) => {
    await using folder = await scratch();
    const words = value === undefined ? [flag] : [flag, value.replace("ID", `${folder.path}/id`)];
    await using daemon = await container({ output: [frame(1, "out")], exit: { StatusCode: 3 } });
    expect(await told(daemon.host, ["run", ...words, "img"])).toMatchObject({ code: 3, out: "out" });
    expect(verbs(daemon).filter((verb) => verb.includes("bunker"))).toEqual([]);
  });

  test("says why it could not be started in one call", async () => {
    const failure = 'exec: "x": executable file not found in $PATH';
    await using daemon = await containerInOne([frame(3, failure)]);
    expect(await told(daemon.host, ["run", "img", "x"])).toEqual({
      code: 127,
      out: "",
      err: `bunker: Error response from daemon: ${failure}\n\nRun 'bunker run --help' for more information\n`,
    });
    expect(daemon.requests).toHaveLength(1);
    await told(daemon.host, ["run", "--rm", "img", "x"]);
    expect(verbs(daemon).at(-1)).toBe("ID/wait?condition=removed");
  });

  test("asks for the exit code of a container whose stream broke off", async () => {
    await using daemon = await containerInOne([frame(1, "yes")]);
    expect(await told(daemon.host, ["run", "img"])).toEqual({ code: 4, out: "yes", err: `${BROKEN_OFF}\n` });
    expect(verbs(daemon).at(-1)).toBe("ID/wait?condition=not-running");
  });

  test.each([500, 502, 504])(
    "does not run it again after a %d, of which nobody knows what was done",
    async (status) => {
      await using daemon = await fakeDaemon((_request, connection) =>
        connection.reply(status, { message: "late" }),
      );
      expect(await told(daemon.host, ["run", "img"])).toMatchObject({ code: 125 });
      expect(daemon.requests).toHaveLength(1);
    },
  );

  test("says that it cannot know the exit code of one that is gone by then", async () => {
    await using daemon = await fakeDaemon(({ target }, connection) => {
      if (target.includes("/wait")) return connection.reply(404, { message: `No such container: ${ID}` });
      connection.upgrade(`application/vnd.docker.multiplexed-stream\r\nBunker-Run: ${ID}`);
      connection.end();
    });
    expect(await told(daemon.host, ["run", "--rm", "img"])).toMatchObject({
      code: 125,
      err: `${BROKEN_OFF}\nError waiting for container: Error response from daemon: No such container: ${ID}\n`,
    });
  });

  test("without --rm waits for the next exit", async () => {
    await using daemon = await container();
    await told(daemon.host, ["run", "img"]);
    expect(verbs(daemon)).toContain("ID/wait?condition=next-exit");
  });

  test("pulls an image that is not there, then creates again", async () => {
    await using daemon = await container({
      missing: 1,
      pull: [{ status: "Pulling from x", id: "latest" }, { status: "Digest: d" }],
    });
    const { code, err, out } = await told(daemon.host, ["run", "-d", "--platform", "linux/arm64", "img"]);
    expect([code, out]).toEqual([0, `${ID}\n`]);
    expect(err).toBe("Unable to find image 'img:latest' locally\nlatest: Pulling from x\nDigest: d\n");
    expect(daemon.requests.map(({ target }) => target)).toEqual([
      "/containers/create?platform=linux%2Farm64",
      "/images/create?fromImage=img&tag=latest&platform=linux%2Farm64",
      "/containers/create?platform=linux%2Farm64",
      `/containers/${ID}/start`,
    ]);
  });

  test("with --pull never does not pull, with --pull always pulls first", async () => {
    await using without = await container({ missing: 1 });
    expect(await told(without.host, ["run", "--pull", "never", "img"])).toMatchObject({ code: 125 });
    expect(verbs(without)).toEqual(["/bunker/containers/run?condition=next-exit", "create"]);
    await using always = await container();
    await told(always.host, ["run", "-q", "-d", "--pull=always", "img:2"]);
    expect(verbs(always)[0]).toBe("/images/create?fromImage=img&tag=2");
  });

  test("ends with 125 when the pull fails half-way", async () => {
    await using daemon = await container({
      missing: 9,
      pull: [{ errorDetail: { message: "digest is wrong" }, error: "x" }],
    });
    expect(await told(daemon.host, ["run", "img"])).toMatchObject({
      code: 125,
      err: "Unable to find image 'img:latest' locally\nbunker: digest is wrong\n\nRun 'bunker run --help' for more information\n",
    });
  });

  test.each([
    ['exec: "x": executable file not found in $PATH', 127],
    ["stat /x: no such file or directory", 127],
    ['exec: "/etc": permission denied', 126],
    ['exec: "/etc": is a directory', 126],
    ["port is already allocated", 125],
  ])("that cannot start because of %p ends with %p", async (message, code) => {
    expect(startExitCode(message)).toBe(code);
    await using daemon = await container({ startFailure: message });
    expect(await told(daemon.host, ["run", "--rm", "img", "x"])).toEqual({
      code,
      out: "",
      err: `WARNING: no swap\nbunker: Error response from daemon: ${message}\n\nRun 'bunker run --help' for more information\n`,
    });
  });

  test("says why waiting failed", async () => {
    await using daemon = await container({ exit: { StatusCode: 0, Error: { Message: "lost it" } } });
    expect(await told(daemon.host, ["run", "img"])).toMatchObject({
      code: 125,
      err: expect.stringContaining("lost it"),
    });
  });

  test("ends quietly, as by SIGPIPE, when nobody reads its output", async () => {
    await using daemon = await container({ output: [frame(1, "x")] });
    const onOut = () => {
      throw new ClosedPipe("gone");
    };
    expect(await told(daemon.host, ["run", "img"], { onOut })).toEqual({
      code: 141,
      out: "",
      err: "WARNING: no swap\n",
    });
  });

  test("says of --kernel-memory that it has no effect, and goes on", async () => {
    await using daemon = await container();
    const outcome = await told(daemon.host, ["run", "-d", "--kernel-memory", "64m", "img"]);
    expect(outcome).toMatchObject({ code: 0, err: expect.stringContaining("--kernel-memory discarded") });
  });

  test("writes the id's file once, and not over another", async () => {
    await using folder = await scratch();
    const path = `${folder.path}/id`;
    await using daemon = await container();
    await told(daemon.host, ["run", "-d", "--cidfile", path, "img"]);
    expect(await Bun.file(path).text()).toBe(ID);
    const again = await told(daemon.host, ["run", "-d", "--cidfile", path, "img"]);
    expect(again).toMatchObject({
      code: 125,
      err: expect.stringContaining("container ID file found, make sure"),
    });
    expect(daemon.requests).toHaveLength(2);
  });

  test.each([
    [
      ["run"],
      1,
      "bunker: 'bunker run' requires at least 1 argument\n\nUsage:  bunker run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nSee 'bunker run --help' for more information\n",
    ],
    [
      ["run", "--foo", "x"],
      125,
      "unknown flag: --foo\n\nUsage:  bunker run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'bunker run --help' for more information\n",
    ],
    [
      ["run", "-p", "abc", "x"],
      125,
      "bunker: invalid containerPort: abc\n\nRun 'bunker run --help' for more information\n",
    ],
    [
      ["run", "--pull=foo", "x"],
      125,
      `bunker: invalid pull option: 'foo': must be one of "always", "missing" or "never"\n\nRun 'bunker run --help' for more information\n`,
    ],
    [
      ["run", "-d", "-a", "stdout", "x"],
      1,
      "conflicting options: cannot specify both --attach and --detach\n",
    ],
    [["run", "-it", "x"], 1, "the input device is not a TTY\n"],
    [
      ["create", "-p", "abc", "x"],
      125,
      "bunker: invalid containerPort: abc\n\nRun 'bunker create --help' for more information\n",
    ],
  ])("%p asks no daemon and ends with %p", async (words, code, err) => {
    expect(await told("unix:///nonexistent.sock", words)).toEqual({ code, out: "", err });
  });

  test("without a daemon ends with 125, other commands with 1", async () => {
    const message =
      "Cannot connect to the bunker daemon at unix:///nonexistent.sock. Is the bunker daemon running?\n";
    expect(await told("unix:///nonexistent.sock", ["run", "x"])).toMatchObject({
      code: 125,
      err: `bunker: ${message}\nRun 'bunker run --help' for more information\n`,
    });
    expect(await told("unix:///nonexistent.sock", ["ps"])).toMatchObject({ code: 1, err: message });
  });
});

describe("detach keys", () => {
  test.each([
    ["", [16, 17]],
    ["ctrl-a,ctrl-Z", [1, 26]],
    ["a,b", [97, 98]],
    ["ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", [0, 27, 28, 29, 30, 31]],
  ])("%p are %p", (text, codes) => {
    expect(keysOf(text)).toEqual(codes);
  });

  test.each(["ctrl-", "ctrl-é", "ab", "a,,b"])("%p are none", (text) => {
    expect(keysOf(text)).toBeUndefined();
  });

  test.each([
    [[[16, 17]], true],
    [
      [
        [1, 16],
        [17, 2],
      ],
      true,
    ],
    [[[16, 16, 17]], true],
    [[[16, 1, 17]], false],
    [[[17, 16]], false],
  ])("are noticed in %p: %p", async (pieces, isNoticed) => {
    let isDetached = false;
    async function* source() {
      for (const piece of pieces) yield new Uint8Array(piece);
    }
    const passed: number[] = [];
    for await (const bytes of watchKeys(source(), [16, 17], () => (isDetached = true))) passed.push(...bytes);
    expect(isDetached).toBe(isNoticed);
    expect(passed).toEqual(pieces.flat());
  });
});
