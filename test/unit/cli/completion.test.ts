import { describe, expect, test } from "bun:test";
import { scan } from "../../../src/cli/completion/scan.ts";
import { told } from "../../fakes/fake-console.ts";
import { fakeDaemon } from "../../fakes/fake-daemon.ts";

const REPLIES: Readonly<Record<string, unknown>> = {
  "/containers/json": [
    { Names: ["/web", "/other/alias"], State: "running" },
    { Names: ["/db"], State: "running" },
    { Names: ["/done"], State: "exited" },
    { Names: ["/asleep"], State: "paused" },
  ],
  "/images/json": [{ RepoTags: ["busybox:latest", "x/y:1"] }, { RepoTags: ["<none>:<none>"] }],
  "/networks": [{ Name: "front" }, { Name: "host" }],
  "/volumes": { Volumes: [{ Name: "data" }] },
};

async function completed(...words: string[]): Promise<string[]> {
  await using daemon = await fakeDaemon(({ target }, connection) =>
    connection.reply(200, REPLIES[target.replace(/\?.*/, "")]),
  );
  const { out, err, code } = await told("unix:///nonexistent", [
    "__completeNoDesc",
    "-H",
    daemon.host,
    ...words,
  ]);
  expect([code, err]).toEqual([0, ""]);
  return out.trimEnd().split("\n");
}

describe("what words may become", () => {
  test.each<[string[], string[]]>([
    [["ru"], ["run", ":4"]],
    [["reg"], ["registry", ":4"]],
    [["--tlsc"], ["--tlscacert", "--tlscert", ":4"]],
    [
      ["network", "r"],
      ["rm", ":4"],
    ],
    [
      ["jobs", ""],
      ["cancel", "ls", ":4"],
    ],
    [
      ["run", "--network-"],
      ["--network-alias", ":4"],
    ],
    [
      ["run", "--network", "f"],
      ["front", ":4"],
    ],
    [
      ["run", "--net", "f"],
      ["front", ":4"],
    ],
    [
      ["run", "--network=f"],
      ["--network=front", ":4"],
    ],
    [
      ["run", "-it", "--name", "x", ""],
      ["busybox", "busybox:latest", "x/y:1", ":4"],
    ],
    [["run", "busybox", ""], [":0"]],
    [["run", "busybox", "--net"], [":0"]],
    [
      ["run", "--restart", "u"],
      ["unless-stopped", ":4"],
    ],
    [["run", "--env-file", ""], [":0"]],
    [["run", "--name", ""], [":4"]],
    [
      ["exec", "-it", ""],
      ["db", "web", ":4"],
    ],
    [
      ["container", "exec", "-uroot", "w"],
      ["web", ":4"],
    ],
    [["exec", "web", ""], [":0"]],
    [
      ["start", ""],
      ["done", ":4"],
    ],
    [
      ["unpause", ""],
      ["asleep", ":4"],
    ],
    [
      ["rm", "-f", "web", ""],
      ["asleep", "db", "done", ":4"],
    ],
    [
      ["network", "connect", ""],
      ["front", "host", ":4"],
    ],
    [
      ["network", "connect", "front", "w"],
      ["web", ":4"],
    ],
    [["network", "connect", "front", "web", ""], [":0"]],
    [
      ["volume", "remove", ""],
      ["data", ":4"],
    ],
    [
      ["image", "rm", "x"],
      ["x/y:1", ":4"],
    ],
    [
      ["inspect", "--type", "n"],
      ["network", ":4"],
    ],
    [
      ["inspect", "d"],
      ["data", "db", "done", ":4"],
    ],
    [
      ["ps", "-f", "st"],
      ["status=", ":6"],
    ],
    [
      ["ps", "--filter=status=e"],
      ["--filter=status=exited", ":4"],
    ],
    [
      ["events", "--filter", "container=w"],
      ["container=web", ":4"],
    ],
    [
      ["logs", "--", "w"],
      ["web", ":4"],
    ],
    [
      ["completion", "z"],
      ["zsh", ":4"],
    ],
    [["nothing", ""], [":0"]],
    [["build", ""], [":0"]],
  ])("%p: %p", async (words, lines) => {
    expect(await completed(...words)).toEqual(lines);
  });

  test("is explained where the shell shows it, and nobody's name drives the terminal", async () => {
    await using daemon = await fakeDaemon((_, connection) =>
      connection.reply(200, [{ Names: ["/\x1b[2J"], State: "running" }]),
    );
    const out = async (...words: string[]) =>
      (await told(daemon.host, ["__complete", "-H", daemon.host, ...words])).out;
    expect(await out("net")).toBe("network\tManage networks\n:4\n");
    expect(await out("exec", "")).toBe("\\x1b[2J\n:4\n");
  });

  test("is nothing where there is no daemon, or it says nothing", async () => {
    const words = (host: string) => ["__complete", "-H", host, "exec", ""];
    expect(await told("unix:///x", words("unix:///nonexistent.sock"))).toEqual({
      code: 0,
      out: ":4\n",
      err: "",
    });
    await using silent = await fakeDaemon(() => undefined);
    expect(await told("unix:///x", words(silent.host))).toEqual({ code: 0, out: ":4\n", err: "" });
  });
});

describe("completion scripts", () => {
  test.each(["bash", "zsh", "fish"])("for %s name the program as it was called", async (shell) => {
    const { out } = await told("unix:///x", ["completion", shell], { program: "docker" });
    expect(out).toContain("docker");
    expect(out).not.toContain("bunker");
  });

  test("are there for no other shell", async () => {
    const { code, err } = await told("unix:///x", ["completion", "zhs"]);
    expect([code, err]).toEqual([1, expect.stringContaining("did you mean zsh?")]);
  });
});

test.each<[string[], string[], string | undefined, boolean]>([
  [["a", "-x", "b"], ["a", "b"], undefined, false],
  [["-v"], [], "value", false],
  [["-xv"], [], "value", false],
  [["-vx"], [], undefined, false],
  [["--value"], [], "value", false],
  [["--value=1", "a"], ["a"], undefined, false],
  [["--value", "1", "a"], ["a"], undefined, false],
  [["--alias"], [], "value", false],
  [["a", "--", "-v"], ["a", "-v"], undefined, true],
])("words before: %p are operands %p with %p pending", (words, operands, pending, isOver) => {
  const table = {
    x: { kind: "bool", short: "x" },
    value: { kind: "text", short: "v" },
    alias: { kind: "text", aliasOf: "value" },
  } as const;
  expect(scan(words, table, false)).toMatchObject({ operands, pending, isOver });
});
