import { describe, expect, test } from "bun:test";
import { ClosedPipe } from "../../../src/cli/console.ts";
import { BROKEN_OFF } from "../../../src/cli/outcome.ts";
import { told } from "../../fakes/fake-console.ts";
import { type FakeConnection, type FakeRequest, fakeDaemon, frame } from "../../fakes/fake-daemon.ts";

const NOWHERE = "unix:///nonexistent.sock";

/** Answers by method and path; what is not in the table is not found. */
function answering(replies: Readonly<Record<string, unknown>>) {
  return fakeDaemon(({ method, target }: FakeRequest, connection: FakeConnection) => {
    const key = `${method} ${target.replace(/\?.*/, "")}`;
    if (Object.hasOwn(replies, key)) connection.reply(replies[key] === undefined ? 204 : 200, replies[key]);
    else connection.reply(404, { message: `No such object: ${target}` });
  });
}

const SUMMARY = {
  Id: "a".repeat(64),
  Names: ["/web", "/other/web"],
  Image: "httpd",
  ImageID: "sha256:b",
  Command: "httpd-foreground -with a long tail",
  Created: Math.floor(Date.now() / 1000) - 7200,
  Ports: [
    { IP: "::", PrivatePort: 80, PublicPort: 8020, Type: "tcp" },
    { IP: "0.0.0.0", PrivatePort: 80, PublicPort: 8020, Type: "tcp" },
    { PrivatePort: 444, Type: "tcp" },
    { PrivatePort: 443, Type: "tcp" },
  ],
  Labels: { evil: "\x1b[2J" },
  State: "running",
  Status: "Up 2 hours",
  Mounts: [],
};

describe("bunker ps", () => {
  test("lists containers as docker does", async () => {
    await using daemon = await answering({ "GET /containers/json": [SUMMARY] });
    const { out, code } = await told(daemon.host, ["ps"]);
    expect(code).toBe(0);
    expect(out).toBe(
      `CONTAINER ID   IMAGE     COMMAND                  CREATED       STATUS       PORTS                                                  NAMES
aaaaaaaaaaaa   httpd     "httpd-foreground -w…"   2 hours ago   Up 2 hours   443-444/tcp, 0.0.0.0:8020->80/tcp, [::]:8020->80/tcp   web
`,
    );
    expect(daemon.requests[0]?.target).toBe("/containers/json");
  });

  test("asks for what its flags say", async () => {
    await using daemon = await answering({ "GET /containers/json": [] });
    await told(daemon.host, ["container", "ls", "-as", "-f", "label=a=b", "--filter", "label=c", "-l"]);
    const target = decodeURIComponent(daemon.requests[0]?.target ?? "");
    expect(target).toBe('/containers/json?all=1&limit=1&size=1&filters={"label":{"a=b":true,"c":true}}');
  });

  test("prints no raw control character, whatever the format", async () => {
    await using daemon = await answering({ "GET /containers/json": [SUMMARY] });
    for (const format of ["table {{.Labels}}", "{{.Labels}}", '{{.Label "evil"}}', "json", "{{json .}}"])
      expect((await told(daemon.host, ["ps", "--format", format])).out).not.toContain("\x1b");
  });

  test("ends quietly when nobody reads", async () => {
    await using daemon = await answering({ "GET /containers/json": [] });
    const onOut = () => {
      throw new ClosedPipe("gone");
    };
    expect(await told(daemon.host, ["ps"], { onOut })).toEqual({ code: 141, out: "", err: "" });
  });
});

describe("several names", () => {
  test("go on after a failure, are printed as typed, and end with 1", async () => {
    await using daemon = await answering({
      "POST /containers/one/stop": undefined,
      "POST /containers/two/stop": undefined,
    });
    expect(await told(daemon.host, ["stop", "-t", "0", "one", "gone", "two"])).toEqual({
      code: 1,
      out: "one\ntwo\n",
      err: "Error response from daemon: No such object: /containers/gone/stop?t=0\n",
    });
  });

  test("are not all tried when there is no daemon", async () => {
    const { err } = await told(NOWHERE, ["rm", "a", "b", "c"]);
    expect(err.split("\n")).toHaveLength(2);
  });

  test("cannot climb in a path", async () => {
    await using daemon = await answering({});
    await told(daemon.host, ["kill", "../images/x?force=1"]);
    expect(daemon.requests[0]?.target).toBe("/containers/..%2Fimages%2Fx%3Fforce%3D1/kill");
  });
});

describe("bunker inspect", () => {
  test("tries container, image, network, volume, and shows what it found before what it did not", async () => {
    await using daemon = await answering({
      "GET /containers/c/json": { Id: "1" },
      "GET /volumes/v": { Name: "v" },
    });
    const { code, out, err } = await told(daemon.host, ["inspect", "c", "gone", "v"]);
    expect([code, JSON.parse(out)]).toEqual([1, [{ Id: "1" }, { Name: "v" }]]);
    expect(err).toBe("Error: No such object: gone\n");
    expect(daemon.requests.slice(1, 5).map(({ target }) => target)).toEqual([
      "/containers/gone/json",
      "/images/gone/json",
      "/networks/gone",
      "/volumes/gone",
    ]);
  });

  test.each([
    [["-f", "{{.Id}}"], 0, "1\n", ""],
    [["-f", "json"], 0, '[{"Id":"1","State":{}}]\n', ""],
    [["-f", "{{if .State.Health}}x{{else}}-{{end}}"], 0, "-\n", ""],
    [
      ["-f", "{{.Foo}}"],
      1,
      "\n",
      'template parsing error: template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"\n',
    ],
    [["-f", "{{foo}}"], 64, "", 'template parsing error: template: :1: function "foo" not defined\n'],
    [
      ["--type", "foo"],
      1,
      "",
      'unknown type: "foo": must be one of "container", "image", "network", "volume"\n',
    ],
    [["--type", "image"], 1, "[]\n", "Error response from daemon: No such object: /images/c/json\n"],
  ])("with %p ends with %p", async (flags, code, out, err) => {
    await using daemon = await answering({ "GET /containers/c/json": { Id: "1", State: {} } });
    expect(await told(daemon.host, ["inspect", ...flags, "c"])).toEqual({ code, out, err });
  });
});

describe("bunker exec", () => {
  /** As another engine's daemon answers. */
  function executing(exitCode: number | null, output: Uint8Array, unknown = 404) {
    return fakeDaemon(({ target, body }, connection) => {
      if (target.startsWith("/bunker/")) connection.reply(unknown, { message: "no" });
      else if (target.endsWith("/exec")) connection.reply(201, { Id: "e1" });
      else if (target.endsWith("/json"))
        connection.reply(200, { ID: "e1", Running: false, ExitCode: exitCode });
      else if (JSON.parse(body).Detach) connection.reply(200, undefined);
      else {
        connection.upgrade();
        connection.write(output);
        connection.end();
      }
    });
  }

  test.each([404, 405, 403, 501])("goes by Docker's calls where %d is said to its own", async (status) => {
    await using daemon = await executing(9, frame(2, "no"), status);
    expect(await told(daemon.host, ["exec", "web", "ls"])).toEqual({ code: 9, out: "", err: "no" });
  });

  test("of what was never begun ends with 126", async () => {
    await using daemon = await executing(null, frame(1, "it has ended"));
    expect((await told(daemon.host, ["exec", "web", "ls"])).code).toBe(126);
  });

  test("passes output and exit code on", async () => {
    await using daemon = await executing(9, frame(2, "no"));
    const words = ["exec", "-u", "1", "-w", "/x", "-e", "A=b", "web", "ls", "-la"];
    expect(await told(daemon.host, words)).toEqual({ code: 9, out: "", err: "no" });
    expect(daemon.requests.map(({ target }) => target)).toEqual([
      "/bunker/containers/web/exec",
      "/containers/web/exec",
      "/exec/e1/start",
      "/exec/e1/json",
    ]);
    expect(JSON.parse(daemon.requests[1]?.body ?? "")).toEqual({
      Cmd: ["ls", "-la"],
      AttachStdin: false,
      AttachStdout: true,
      AttachStderr: true,
      Tty: false,
      Privileged: false,
      Env: ["A=b"],
      User: "1",
      WorkingDir: "/x",
    });
  });

  /** As bunker's own daemon answers, and ends the stream with or without an exit code. */
  const executingInOne = (output: Uint8Array) =>
    fakeDaemon(({ target }, connection) => {
      if (target.endsWith("/json")) return connection.reply(200, { ID: "e2", Running: false, ExitCode: 4 });
      connection.upgrade("application/vnd.docker.multiplexed-stream\r\nBunker-Exec: e2");
      connection.write(output);
      connection.end();
    });

  test("is one call where the daemon tells the exit code with the output", async () => {
    await using daemon = await executingInOne(Buffer.concat([frame(1, "yes"), frame(4, "9")]));
    expect(await told(daemon.host, ["exec", "web", "ls"])).toEqual({ code: 9, out: "yes", err: "" });
    expect(daemon.requests.map(({ target }) => target)).toEqual(["/bunker/containers/web/exec"]);
    expect(JSON.parse(daemon.requests[0]?.body ?? "")).toMatchObject({ Cmd: ["ls"], Tty: false });
  });

  test("ends with the exit code, though the daemon keeps the stream open", async () => {
    await using daemon = await fakeDaemon((_, connection) => {
      connection.upgrade("application/vnd.docker.multiplexed-stream\r\nBunker-Exec: e2");
      connection.write(Buffer.concat([frame(1, "yes"), frame(4, "9")]));
    });
    expect(await told(daemon.host, ["exec", "web", "ls"])).toEqual({ code: 9, out: "yes", err: "" });
  });

  test("asks for the exit code of a command whose stream broke off", async () => {
    await using daemon = await executingInOne(frame(1, "yes"));
    const err = `${BROKEN_OFF}\n`;
    expect(await told(daemon.host, ["exec", "web", "ls"])).toEqual({ code: 4, out: "yes", err });
    expect(daemon.requests.at(-1)?.target).toBe("/exec/e2/json");
  });

  test.each([
    ["with a terminal", ["-t", "web", "ls"]],
    ["with a long environment", ["-e", `A=${"x".repeat(20_000)}`, "web", "ls"]],
  ])("%s is begun by Docker's two calls at once", async (_title, words) => {
    await using daemon = await executing(3, frame(1, ""));
    expect(await told(daemon.host, ["exec", ...words])).toMatchObject({ code: 3 });
    expect(daemon.requests[0]?.target).toBe("/containers/web/exec");
  });

  test("with -d neither attaches nor asks for a code", async () => {
    await using daemon = await executing(9, frame(1, ""));
    expect(await told(daemon.host, ["exec", "-d", "web", "true"])).toEqual({ code: 0, out: "", err: "" });
    expect(daemon.requests).toHaveLength(2);
  });
});

describe("bunker logs", () => {
  test("tells the streams apart and asks for what its flags say", async () => {
    await using daemon = await fakeDaemon((_, connection) => {
      const content = Buffer.concat([frame(1, "out\n"), frame(2, "err\n")]);
      const type = "Content-Type: application/vnd.docker.multiplexed-stream\r\n";
      connection.write(`HTTP/1.1 200 OK\r\n${type}Content-Length: ${content.length}\r\n\r\n`);
      connection.write(content);
    });
    const words = ["logs", "-t", "-n", "5", "--since", "2026-05-30T12:00:00Z", "web"];
    expect(await told(daemon.host, words)).toEqual({ code: 0, out: "out\n", err: "err\n" });
    expect(daemon.requests[0]?.target).toBe(
      "/containers/web/logs?stdout=1&stderr=1&timestamps=1&tail=5&since=1780142400.000000000",
    );
  });
});

describe("other commands", () => {
  test.each<[string[], Record<string, unknown>, string]>([
    [
      ["port", "c"],
      { "GET /containers/c/json": ported() },
      "80/tcp -> 0.0.0.0:8020\n80/tcp -> [::]:8020\n443/tcp -> 0.0.0.0:1\n",
    ],
    [["port", "c", "80"], { "GET /containers/c/json": ported() }, "0.0.0.0:8020\n[::]:8020\n"],
    [
      ["diff", "c"],
      {
        "GET /containers/c/changes": [
          { Kind: 0, Path: "/a" },
          { Kind: 1, Path: "/b" },
          { Kind: 2, Path: "/c\x1b" },
        ],
      },
      "C /a\nA /b\nD /c\\x1b\n",
    ],
    [["diff", "c"], { "GET /containers/c/changes": null }, ""],
    [
      ["rmi", "x"],
      { "DELETE /images/x": [{ Untagged: "x:1" }, { Deleted: "sha256:0" }] },
      "Untagged: x:1\nDeleted: sha256:0\n",
    ],
    [
      ["top", "c"],
      { "GET /containers/c/top": { Titles: ["PID", "CMD"], Processes: [["1", "sh"]] } },
      "PID                 CMD\n1                   sh\n",
    ],
    [
      ["volume", "ls"],
      {
        "GET /volumes": {
          Volumes: [
            { Name: "b", Driver: "local" },
            { Name: "a", Driver: "local" },
          ],
        },
      },
      "DRIVER    VOLUME NAME\nlocal     a\nlocal     b\n",
    ],
    [["volume", "create", "v"], { "POST /volumes/create": { Name: "v" } }, "v\n"],
    [
      ["volume", "prune", "-f", "-a"],
      { "POST /volumes/prune": { VolumesDeleted: ["v"], SpaceReclaimed: 1500 } },
      "Deleted Volumes:\nv\n\nTotal reclaimed space: 1.5kB\n",
    ],
    [
      ["volume", "prune", "-f"],
      { "POST /volumes/prune": { VolumesDeleted: null, SpaceReclaimed: 0 } },
      "Total reclaimed space: 0B\n",
    ],
    [["volume", "clone", "v", "w"], { "POST /bunker/volumes/v/clone": { Name: "w" } }, "w\n"],
    [
      ["volume", "snapshot", "create", "v", "s1"],
      { "POST /bunker/volumes/v/snapshots": { Name: "s1", CreatedAt: "2026-01-01T00:00:00.000Z" } },
      "s1\n",
    ],
    [
      ["volume", "snapshot", "ls", "v"],
      { "GET /bunker/volumes/v/snapshots": [{ Name: "s1", CreatedAt: "2026-01-01T00:00:00.000Z" }] },
      "SNAPSHOT   CREATED AT\ns1         2026-01-01T00:00:00.000Z\n",
    ],
    [["volume", "ls", "--cluster", "-q"], { "GET /volumes": { Volumes: [{ Name: "b" }] } }, ""],
    [
      ["network", "ls", "-q"],
      { "GET /networks": [{ Id: "0123456789abcdef", Name: "n", Driver: "bridge", Scope: "local" }] },
      "0123456789ab\n",
    ],
    [
      ["images"],
      {
        "GET /images/json": [
          { Id: `sha256:${"1".repeat(64)}`, RepoTags: null, RepoDigests: null, Created: 0, Size: 1 },
        ],
      },
      "REPOSITORY   TAG       IMAGE ID       CREATED        SIZE\n<none>       <none>    111111111111   56 years ago   1B\n",
    ],
    [
      ["history", "-q", "x"],
      { "GET /images/x/history": [{ Id: "<missing>", Created: 0, CreatedBy: "", Size: 0, Comment: "" }] },
      "<missing>\n",
    ],
    [["info", "-f", "{{.Driver}}"], { "GET /info": { Driver: "overlay2" } }, "overlay2\n"],
    [["version", "-f", "{{.Server.Version}}"], { "GET /version": { Version: "9" } }, "9\n"],
    [["update", "-m", "64m", "c"], { "POST /containers/c/update": { Warnings: null } }, "c\n"],
    [["wait", "c"], { "POST /containers/c/wait": { StatusCode: 7 } }, "7\n"],
    [["rename", "a", "b"], { "POST /containers/a/rename": undefined }, ""],
    [
      ["jobs", "-q"],
      {
        "GET /bunker/jobs": [
          { id: "7", name: "image.pull", arguments: {}, phase: "", startedAt: 0, status: "running" },
        ],
      },
      "7\n",
    ],
    [
      ["jobs", "--format", "{{.Name}}"],
      {
        "GET /bunker/jobs": [
          { id: "7", name: "image.pull", arguments: {}, phase: "", startedAt: 0, status: "running" },
        ],
      },
      "image.pull\n",
    ],
    [["jobs", "cancel", "7"], { "POST /bunker/jobs/7/cancel": undefined }, "7\n"],
  ])("%p", async (words, replies, out) => {
    await using daemon = await answering(replies);
    const result = await told(daemon.host, words);
    expect({ ...result, out: result.out.replace(/5\d years ago/, "56 years ago") }).toEqual({
      code: 0,
      out,
      err: "",
    });
  });

  test("a network's time is printed as Go prints it", async () => {
    const Created = "2026-05-30T12:07:14.500Z";
    await using daemon = await answering({
      "GET /networks": [{ Id: "1", Name: "n", Driver: "d", Scope: "s", Created }],
    });
    const { out } = await told(daemon.host, ["network", "ls", "--format", "{{.CreatedAt}}"]);
    expect(out).toBe("2026-05-30 12:07:14.5 +0000 UTC\n");
  });

  test("stats of all follow containers that come and go", async () => {
    const HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
    const event = (Action: string, ID: string) =>
      `${JSON.stringify({ Type: "container", Action, Actor: { ID }, time: 1, timeNano: 1 })}\n`;
    const sampled = Promise.withResolvers<void>();
    await using daemon = await fakeDaemon(({ target }, connection) => {
      if (target.startsWith("/containers/json")) return connection.reply(200, [{ Id: "first" }]);
      if (target.startsWith("/events")) {
        connection.write(HEAD + chunk(event("start", "second") + event("die", "first")));
        void sampled.promise.then(() => connection.write("0\r\n\r\n"));
        return undefined;
      }
      const [, id = ""] = /containers\/(\w+)\/stats/.exec(target) ?? [];
      connection.write(`${HEAD}${chunk(`${JSON.stringify({ id, name: `/${id}` })}\n`)}0\r\n\r\n`);
      if (id === "second") sampled.resolve();
      return undefined;
    });
    const { code, out } = await told(daemon.host, ["stats", "--format", "{{.ID}}"]);
    expect([code, out.trim().split("\n").at(-1)]).toEqual([0, "second"]);
    expect(daemon.requests.map(({ target }) => target)).toContain("/containers/first/stats?stream=1");
  });

  test("events keep their nanoseconds", async () => {
    const event = `{"Type":"container","Action":"start","Actor":{"ID":"1","Attributes":{"name":"web","a":"b"}},"time":1780142400,"timeNano":1780142400033027174}`;
    await using daemon = await fakeDaemon((_, connection) =>
      connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${event.length + 1}\r\n\r\n${event}\n`),
    );
    expect((await told(daemon.host, ["events"])).out).toMatch(
      /\.033027174.* container start 1 \(a=b, name=web\)\n$/,
    );
    expect((await told(daemon.host, ["events", "--format", "json"])).out).toBe(
      `${event.replace('"name":"web","a":"b"', '"a":"b","name":"web"')}\n`,
    );
  });

  test.each([
    [["rename", "a"], 1, "'bunker rename' requires 2 arguments"],
    [["ps", "x"], 1, "'bunker ps' accepts no arguments"],
    [
      ["ps", "--filter", "x"],
      125,
      'invalid argument "x" for "-f, --filter" flag: bad format of filter (expected name=value)',
    ],
    [["update", "c"], 1, "you must provide one or more flags when using this command"],
    [["start", "-a", "x", "y"], 1, "you cannot start and attach multiple containers at once"],
    [["psx"], 1, "bunker: unknown command: bunker psx\nDid you mean 'bunker ps'?"],
    [
      ["container", "lss"],
      1,
      "bunker: unknown command: bunker container lss\nDid you mean 'bunker container ls'?",
    ],
    [["toString"], 1, "bunker: unknown command: bunker toString"],
    [["container", "__proto__"], 1, "bunker: unknown command: bunker container __proto__"],
    [["--foo"], 125, "unknown flag: --foo"],
    [["volume", "--foo"], 125, "unknown flag: --foo"],
    [
      ["volume", "create", "--type", "block", "v"],
      1,
      "Cannot make a cluster volume (--type): there is no swarm; leave these flags out",
    ],
    [
      ["volume", "prune", "-a", "--filter", "all=1"],
      1,
      "conflicting options: cannot specify both --all and --filter all=1",
    ],
    [["volume", "snapshot", "rm", "v"], 125, "it is create VOLUME [SNAPSHOT], ls VOLUME, or rm VOLUME"],
    [
      ["logs", "--since", "x", "c"],
      1,
      'invalid value for "since": failed to parse value as time or duration: "x"',
    ],
  ])("%p is refused with %p", async (words, code, message) => {
    const result = await told(NOWHERE, words);
    expect([result.code, result.out]).toEqual([code, ""]);
    expect(result.err).toContain(message);
  });
});

function ported() {
  const binding = (HostPort: string, HostIp = "0.0.0.0") => ({ HostIp, HostPort });
  return {
    NetworkSettings: {
      Ports: { "443/tcp": [binding("1")], "80/tcp": [binding("8020"), binding("8020", "::")], "9/udp": null },
    },
  };
}

describe("bunker search", () => {
  const FOUND = [
    { name: "few", description: "two\nlines", star_count: 3, is_official: false, is_automated: false },
    {
      name: "httpd",
      description: "The Apache HTTP Server Project, and a tail that is long",
      star_count: 4000,
      is_official: true,
      is_automated: false,
    },
  ];

  test("shows what was found as docker does, the most loved first", async () => {
    await using daemon = await answering({ "GET /images/search": FOUND });
    const { out, code } = await told(daemon.host, ["search", "-f", "stars=3", "--limit", "5", "http"]);
    expect([code, out]).toEqual([
      0,
      `NAME      DESCRIPTION                                     STARS     OFFICIAL
httpd     The Apache HTTP Server Project, and a tail t…   4000      [OK]
few       two lines                                       3         
`,
    ]);
    const target = decodeURIComponent(daemon.requests[0]?.target ?? "");
    expect(target).toBe('/images/search?term=http&limit=5&filters={"stars":{"3":true}}');
  });

  test.each([
    [["--format", "{{.Name}} {{.IsOfficial}}"], "httpd [OK]\nfew \n"],
    [["--no-trunc", "--format", "{{.Description}}"], `${FOUND[1]?.description}\ntwo lines\n`],
    [["--format", "{{json .IsOfficial}}"], '"true"\n"false"\n'],
  ])("%j", async (flags, text) => {
    await using daemon = await answering({ "GET /images/search": FOUND });
    expect((await told(daemon.host, ["search", ...flags, "http"])).out).toBe(text);
  });
});
