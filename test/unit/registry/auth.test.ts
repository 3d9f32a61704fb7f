import { describe, expect, test } from "bun:test";
import { parseCredentials } from "#registry";
import { parseChallenge } from "../../../src/registry/auth/challenge.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { type Exchange, FakeRegistry, type Fault, status, times } from "../../fakes/registry.ts";
import { open, resolve } from "./context.ts";

const HUB =
  'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/httpd:pull"';

test.each([
  [
    HUB,
    {
      scheme: "bearer",
      realm: "https://auth.docker.io/token",
      service: "registry.docker.io",
      scope: "repository:library/httpd:pull",
    },
  ],
  ['bearer realm="https://a/t"', { scheme: "bearer", realm: "https://a/t" }],
  ['Bearer  realm = "https://a/t" , service = s', { scheme: "bearer", realm: "https://a/t", service: "s" }],
  [
    'Bearer realm="https://a/t",error="insufficient_scope"',
    { scheme: "bearer", realm: "https://a/t", error: "insufficient_scope" },
  ],
  ['Bearer realm="https://a/\\"t"', { scheme: "bearer", realm: 'https://a/"t' }],
  ['Bearer realm="https://a/t",realm="https://evil/t"', { scheme: "bearer", realm: "https://a/t" }],
  ['Digest nonce="1", Bearer realm="https://a/t"', { scheme: "bearer", realm: "https://a/t" }],
  ['Basic realm="x"', { scheme: "basic" }],
  ["BASIC", { scheme: "basic" }],
  ['Bearer service="s"', undefined],
  ["Digest x", undefined],
  ["Basically", undefined],
  ["", undefined],
  [`Bearer realm="${"x".repeat(9000)}"`, undefined],
  [null, undefined],
])("the challenge %j", (header, expected) => {
  expect(parseChallenge(header)).toEqual(expected as never);
});

test.each([
  [undefined, undefined],
  ["", undefined],
  ["null", undefined],
  ["{}", undefined],
  ['{"username":"","password":"","serveraddress":"x"}', undefined],
  ['{"username":"u","password":"p"}', { username: "u", password: "p" }],
  [JSON.stringify({ auth: btoa("u:p:q") }), { username: "u", password: "p:q" }],
  ['{"identitytoken":"t"}', { identityToken: "t" }],
  ['{"registrytoken":"t"}', { registryToken: "t" }],
])("credentials %j", (json, expected) => {
  expect(parseCredentials(json)).toEqual(expected as never);
});

test.each(["{", "[]", "1", '{"password":1}'])("credentials %j are refused", (json) => {
  expect(() => parseCredentials(json)).toThrow(expect.objectContaining({ kind: "invalid" }));
});

const authorizations = (registry: FakeRegistry) =>
  registry.requests.map(({ headers }) => headers.authorization);

/** A registry that lets nobody in without the token its own service gives out. */
function guard(
  registry: FakeRegistry,
  tokens: readonly string[],
  reply: (exchange: Exchange) => object = () => ({}),
): Fault {
  const left = [...tokens];
  let valid: string | undefined;
  return (exchange) => {
    const { request, response } = exchange;
    if (request.path.startsWith("/token")) {
      valid = left.shift();
      response.end(JSON.stringify({ token: valid, ...reply(exchange) }));
      return true;
    }
    if (valid !== undefined && request.headers.authorization === `Bearer ${valid}`) return false;
    const challenge = `Bearer realm="${registry.url}/token",service="fake",scope="repository:app:pull"`;
    response.writeHead(401, { "WWW-Authenticate": challenge }).end("{}");
    return true;
  };
}

describe("a token", () => {
  test("is asked for when it is demanded, and used for everything after", async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage("app", "latest", { layers: [] });
    registry.faults.push(guard(registry, ["one"]));
    const client = open();
    await resolve(client, registry);
    await resolve(client, registry);
    expect(registry.lines).toEqual([
      "GET /v2/app/manifests/latest",
      "GET /token?service=fake&scope=repository%3Aapp%3Apull",
      "GET /v2/app/manifests/latest",
      "GET /v2/app/manifests/latest",
    ]);
    expect(authorizations(registry)).toEqual([undefined, undefined, "Bearer one", "Bearer one"]);
  });

  test("is asked for once by many at the same time", async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage("app", "latest", { layers: [] });
    registry.faults.push(guard(registry, ["one", "two"]));
    const client = open();
    await Promise.all([resolve(client, registry), resolve(client, registry), resolve(client, registry)]);
    expect(registry.lines.filter((line) => line.includes("/token"))).toHaveLength(1);
  });

  test("is asked for with the password, or with the identity token in a body", async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage("app", "latest", { layers: [] });
    registry.faults.push(guard(registry, ["one", "two"]));
    await resolve(open({ credentials: { username: "u", password: "p" } }), registry);
    expect(registry.requests[1]?.headers.authorization).toBe(`Basic ${btoa("u:p")}`);
    await resolve(open({ credentials: { username: "<token>", identityToken: "secret" } }), registry);
    expect(registry.requests[4]).toMatchObject({ method: "POST", path: "/token" });
    expect(registry.lines.join()).not.toContain("secret");
  });

  test("that was given by the caller is sent as it is", async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage("app", "latest", { layers: [] });
    registry.faults.push(
      (exchange) =>
        exchange.request.headers.authorization !== "Bearer given" && guard(registry, [])(exchange),
    );
    await resolve(open({ credentials: { registryToken: "given" } }), registry);
    expect(authorizations(registry)).toEqual([undefined, "Bearer given"]);
  });

  test("that has ended is replaced before it is sent", async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage("app", "latest", { layers: [] });
    registry.faults.push(guard(registry, ["one", "two"], () => ({ expires_in: 100 })));
    const clock = new FakeClock();
    const client = open({ clock });
    await resolve(client, registry);
    clock.advance(101_000);
    await resolve(client, registry);
    expect(authorizations(registry).filter(Boolean)).toEqual(["Bearer one", "Bearer two"]);
  });

  test("that is refused all the same is replaced once", async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage("app", "latest", { layers: [] });
    registry.faults.push(guard(registry, ["one", "two"]));
    const client = open();
    await resolve(client, registry);
    registry.faults.unshift(
      times(1, "/manifests/", status(401, { "WWW-Authenticate": `Bearer realm="${registry.url}/token"` })),
    );
    await resolve(client, registry);
    expect(authorizations(registry).at(-1)).toBe("Bearer two");
  });

  test("without the right to pull ends in Docker's words", async () => {
    await using registry = await FakeRegistry.start();
    const challenge = `Bearer realm="${registry.url}/token",scope="repository:app:pull",error="insufficient_scope"`;
    registry.faults.push(
      times(9, "/token", status(200, {}, '{"access_token":"weak"}')),
      times(9, "/manifests/", status(401, { "WWW-Authenticate": challenge })),
    );
    await expect(resolve(open(), registry)).rejects.toMatchObject({
      kind: "not_found",
      message: `pull access denied for ${registry.host}/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
    });
    expect(registry.lines).toHaveLength(3);
  });

  test.each([
    ["is no JSON", "junk"],
    ["is empty", "{}"],
    ["could break a header", JSON.stringify({ token: "a\r\nX-Evil: 1" })],
    ["is endless", JSON.stringify({ token: "x".repeat(70_000) })],
  ])("that %s is refused", async (_name, body) => {
    await using registry = await FakeRegistry.start();
    registry.faults.push(times(1, "/token", status(200, {}, body)), guard(registry, []));
    await expect(resolve(open(), registry)).rejects.toMatchObject({
      kind: expect.stringMatching(/invalid|unavailable/),
    });
  });

  test("that a service refuses is said with its reason and without the password", async () => {
    await using registry = await FakeRegistry.start();
    registry.faults.push(
      times(1, "/token", status(401, {}, '{"details":"incorrect username or password"}')),
      guard(registry, []),
    );
    const failed = resolve(open({ credentials: { username: "u", password: "hunter2" } }), registry);
    const thrown = await failed.catch((error: unknown) => error);
    expect(thrown).toMatchObject({
      kind: "unauthorized",
      message: expect.stringContaining("incorrect username or password"),
    });
    expect(Bun.inspect(thrown)).not.toContain("hunter2");
  });
});

describe("a password", () => {
  const BASIC = { "WWW-Authenticate": 'Basic realm="x"' };

  test("is sent when it is demanded, not before", async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage("app", "latest", { layers: [] });
    registry.faults.push(
      (exchange) =>
        exchange.request.headers.authorization === undefined && times(1, "", status(401, BASIC))(exchange),
    );
    await resolve(open({ credentials: { username: "u", password: "p" } }), registry);
    expect(authorizations(registry)).toEqual([undefined, `Basic ${btoa("u:p")}`]);
  });

  test("that is missing is named as the reason", async () => {
    await using registry = await FakeRegistry.start();
    registry.faults.push(times(1, "", status(401, BASIC)));
    await expect(resolve(open(), registry)).rejects.toMatchObject({
      kind: "unauthorized",
      message: expect.stringContaining("no basic auth credentials"),
    });
  });

  test("that is wrong is tried once", async () => {
    await using registry = await FakeRegistry.start();
    registry.faults.push(times(9, "", status(401, BASIC)));
    await expect(
      resolve(open({ credentials: { username: "u", password: "p" } }), registry),
    ).rejects.toMatchObject({
      kind: "unauthorized",
      message: expect.stringContaining("unauthorized: authentication required"),
    });
    expect(registry.requests).toHaveLength(2);
  });

  test.each([
    "ftp://127.0.0.1/token",
    "file:///etc/passwd",
    "http://registry.example/token",
    "http://u:p@127.0.0.1/token",
    "nonsense",
  ])("is not sent to a token service at %s", async (realm) => {
    await using registry = await FakeRegistry.start();
    registry.faults.push(times(9, "", status(401, { "WWW-Authenticate": `Bearer realm="${realm}"` })));
    await expect(
      resolve(open({ credentials: { username: "u", password: "p" } }), registry),
    ).rejects.toMatchObject({ kind: "denied" });
    expect(registry.requests).toHaveLength(1);
  });
});
