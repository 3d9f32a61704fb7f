import { describe, expect, test } from "bun:test";
import { ConfigFile } from "../../../src/cli/config-file.ts";
import { withProxies } from "../../../src/cli/proxies.ts";
import { told } from "../../fakes/fake-console.ts";
import { fakeDaemon } from "../../fakes/fake-daemon.ts";
import { scratch } from "../../fakes/scratch.ts";

/** A folder whose config.json says this. */
async function settings(content: object | string) {
  const folder = await scratch();
  const text = typeof content === "string" ? content : JSON.stringify(content);
  await Bun.write(`${folder.path}/config.json`, text);
  return { env: { DOCKER_CONFIG: folder.path }, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

describe("formats of the client's configuration", () => {
  const CONTAINER = {
    Id: "c".repeat(64),
    Names: ["/web"],
    Image: "i",
    ImageID: "1",
    Command: "x",
    Created: 0,
    State: "s",
    Status: "s",
  };
  const IMAGE = { Id: `sha256:${"1".repeat(64)}`, RepoTags: ["busybox:1"], Created: 0, Size: 1 };
  const NETWORK = { Id: "1".repeat(64), Name: "front", Driver: "bridge", Scope: "local" };
  const VOLUME = { Name: "data", Driver: "local", Mountpoint: "/m", Scope: "local" };

  test.each<[string[], string, unknown, string, string]>([
    [["ps"], "psFormat", [CONTAINER], "web\n", "cccccccccccc\n"],
    [["images"], "imagesFormat", [IMAGE], "busybox\n", "111111111111\n"],
    [["network", "ls"], "networksFormat", [NETWORK], "front\n", "111111111111\n"],
    [
      ["volume", "ls"],
      "volumesFormat",
      {
        Volumes: [
          { ...VOLUME, Name: "a" },
          { ...VOLUME, Name: "b" },
        ],
      },
      "local\nlocal\n",
      "a\nb\n",
    ],
  ])("%p follows %s, unless a format or ids are asked for", async (words, setting, reply, shown, ids) => {
    const column =
      { imagesFormat: "{{.Repository}}", psFormat: "{{.Names}}", volumesFormat: "{{.Driver}}" }[setting] ??
      "{{.Name}}";
    await using daemon = await fakeDaemon((_, connection) => connection.reply(200, reply));
    await using config = await settings({ [setting]: column });
    const out = async (...more: string[]) => (await told(daemon.host, [...words, ...more], config)).out;
    expect(await out()).toBe(shown);
    expect(await out("--format", "table")).toContain("\n");
    expect(await out("--format", "table")).not.toBe(shown);
    expect(await out("-q")).toBe(ids);
  });

  test("that cannot be read are complained of once, and the command goes on", async () => {
    await using daemon = await fakeDaemon((_, connection) => connection.reply(200, []));
    await using config = await settings("{");
    const { code, err } = await told(daemon.host, ["ps", "-q"], config);
    expect([code, err.match(/WARNING: Cannot read the client's configuration/g)?.length]).toEqual([0, 1]);
  });
});

describe("proxies of the client's configuration", () => {
  const HOST = "tcp://1.2.3.4:2375";
  const PROXIES = {
    default: { httpProxy: "http://p", noProxy: "*.test", httpsProxy: 7 },
    [HOST]: { httpProxy: "http://q" },
  };

  test.each<[string[], string, string[]]>([
    [[], "unix:///x", ["HTTP_PROXY=http://p", "http_proxy=http://p", "NO_PROXY=*.test", "no_proxy=*.test"]],
    [[], HOST, ["HTTP_PROXY=http://q", "http_proxy=http://q"]],
    [["http_proxy=mine"], "unix:///x", ["http_proxy=mine", "NO_PROXY=*.test", "no_proxy=*.test"]],
    [["NO_PROXY"], HOST, ["NO_PROXY", "HTTP_PROXY=http://q", "http_proxy=http://q"]],
  ])("are added to %p for %s", async (variables, host, all) => {
    await using config = await settings({ proxies: PROXIES });
    expect(withProxies(variables, { config: ConfigFile.read(config.env), host })).toEqual(all);
  });

  test("are told to a new container", async () => {
    await using daemon = await fakeDaemon((_, connection) => connection.reply(201, { Id: "1" }));
    await using config = await settings({ proxies: PROXIES });
    await told(daemon.host, ["create", "-e", "A=b", "busybox"], config);
    const { Env } = JSON.parse(daemon.requests[0]?.body ?? "{}");
    expect(Env).toEqual([
      "A=b",
      "HTTP_PROXY=http://p",
      "http_proxy=http://p",
      "NO_PROXY=*.test",
      "no_proxy=*.test",
    ]);
  });
});

test("detachKeys of the client's configuration count where none are typed", async () => {
  await using daemon = await fakeDaemon((_, connection) => connection.reply(201, { Id: "1" }));
  await using config = await settings({ detachKeys: "ctrl-x,x" });
  await told(daemon.host, ["exec", "-d", "web", "true"], config);
  await told(daemon.host, ["exec", "-d", "--detach-keys", "a", "web", "true"], config);
  const asked = daemon.requests.filter(({ target }) => target === "/containers/web/exec");
  expect(asked.map(({ body }) => JSON.parse(body).DetachKeys)).toEqual(["ctrl-x,x", "a"]);
});
