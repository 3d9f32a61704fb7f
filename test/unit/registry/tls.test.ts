import { describe, expect, test } from "bun:test";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { parseReference } from "#oci";
import { LIMITS } from "#registry";
import { Certificates } from "../../../src/registry/client/certificates.ts";
import { send } from "../../../src/registry/client/http.ts";
import { scratch } from "../../fakes/scratch.ts";
import { never, open, PLATFORM } from "./context.ts";

const hasOpenssl = Bun.which("openssl") !== null;

/** A server whose certificate nobody vouches for. */
async function serve(
  answer: (path: string) => { status: number; headers: Record<string, string>; body: string },
) {
  await using directory = await scratch();
  const [key, cert] = [join(directory.path, "key"), join(directory.path, "cert")];
  const words = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "2",
  ];
  Bun.spawnSync(["openssl", ...words, "-subj", "/CN=stranger.example", "-keyout", key, "-out", cert]);
  const paths: string[] = [];
  const options = { key: await Bun.file(key).text(), cert: await Bun.file(cert).text() };
  const server = createServer(options, (request, response) => {
    paths.push(request.url ?? "");
    const { status, headers, body } = answer(request.url ?? "");
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    paths,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe.skipIf(!hasOpenssl)(`TLS${hasOpenssl ? "" : " (skipped: openssl is not installed)"}`, () => {
  test("is preferred on loopback, whoever vouches for it", async () => {
    await using server = await serve(() => ({ status: 404, headers: {}, body: "" }));
    const reference = parseReference(`${server.host}/app`);
    await expect(open().resolve(reference, { platform: PLATFORM, signal: never })).rejects.toMatchObject({
      kind: "not_found",
    });
    expect(server.paths).toEqual(["/v2/app/manifests/latest"]);
  });

  test("is not left by a redirect", async () => {
    await using server = await serve(() => ({
      status: 307,
      headers: { Location: "http://127.0.0.1:1/x" },
      body: "",
    }));
    const reference = parseReference(`${server.host}/app`);
    await expect(open().resolve(reference, { platform: PLATFORM, signal: never })).rejects.toMatchObject({
      kind: "denied",
      message: expect.stringContaining("from https to http"),
    });
  });

  test("is not left for a token", async () => {
    const headers = { "WWW-Authenticate": 'Bearer realm="http://127.0.0.1:1/token"' };
    await using server = await serve(() => ({ status: 401, headers, body: "" }));
    const client = open({ credentials: { username: "u", password: "p" } });
    const reference = parseReference(`${server.host}/app`);
    await expect(client.resolve(reference, { platform: PLATFORM, signal: never })).rejects.toMatchObject({
      kind: "denied",
    });
  });

  test("anywhere else wants a certificate that somebody vouches for", async () => {
    await using server = await serve(() => ({ status: 200, headers: {}, body: "{}" }));
    const request = { method: "GET" as const, headers: {}, authorization: "Basic secret", signal: never };
    const certificates = new Certificates([]);
    const settings = {
      limits: LIMITS,
      mayBePlain: () => false,
      trust: (host: string) => certificates.trust(host),
    };
    await expect(send(new URL(`https://${server.host}/`), request, settings)).rejects.toMatchObject({
      kind: "unavailable",
    });
    expect(server.paths).toEqual([]);
  });
});
