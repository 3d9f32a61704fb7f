import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { parseReference } from "#oci";
import { openRegistry } from "#registry";
import { Certificates } from "../../../src/registry/client/certificates.ts";
import { scratch } from "../../fakes/scratch.ts";
import { Authority, type Party } from "../../fixtures/certificates.ts";
import { never, PLATFORM } from "./context.ts";

const hasOpenssl = Bun.which("openssl") !== null;

describe.skipIf(!hasOpenssl)(
  `certificates of a registry${hasOpenssl ? "" : " (skipped: openssl is not installed)"}`,
  () => {
    let root: Awaited<ReturnType<typeof scratch>>;
    let server: Party;
    let client: Party;
    let stranger: Party;

    beforeAll(async () => {
      root = await scratch();
      const [ours, theirs] = [
        await Authority.make(root.path, "ours"),
        await Authority.make(root.path, "theirs"),
      ];
      server = await ours.sign("server", { address: "127.0.0.1" });
      client = await ours.sign("client", "client");
      stranger = await theirs.sign("stranger", "client");
    });
    afterAll(() => root[Symbol.asyncDispose]());

    /** A server of ours that has nothing; its folder of certificates holds what `files` says. */
    async function served({ wantsClient = false }: { readonly wantsClient?: boolean } = {}) {
      const asked: string[] = [];
      const options = {
        key: await Bun.file(server.key).text(),
        cert: await Bun.file(server.cert).text(),
        ...(wantsClient && {
          ca: await Bun.file(server.ca).text(),
          requestCert: true,
          rejectUnauthorized: true,
        }),
      };
      const listener = createServer(options, (request, response) => {
        asked.push(`${request.method} ${request.url}`);
        response.writeHead(404).end();
      });
      await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
      const host = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
      const folder = `${root.path}/certs-${crypto.randomUUID()}`;
      return {
        asked,
        async resolve(files: Readonly<Record<string, string>>) {
          await mkdir(`${folder}/${host}`, { recursive: true });
          for (const [name, from] of Object.entries(files))
            await Bun.write(`${folder}/${host}/${name}`, Bun.file(from));
          const settings = { mirrors: [], insecure: [], certificateFolders: [`${folder}/none`, folder] };
          const found = openRegistry(settings, undefined, { limits: { attempts: 1 } });
          const reference = parseReference(`${host}/app`);
          return found.resolve(reference, { platform: PLATFORM, signal: never }).then(
            () => "found",
            (fault: { kind: string }) => fault.kind,
          );
        },
        async [Symbol.asyncDispose]() {
          listener.closeAllConnections();
          await new Promise((resolve) => listener.close(resolve));
        },
      };
    }

    test("the authority of one host vouches for it", async () => {
      await using registry = await served();
      expect(await registry.resolve({ "ca.crt": server.ca })).toBe("not_found");
      expect(registry.asked).toEqual(["GET /v2/app/manifests/latest"]);
    });

    test("another authority does not, on loopback neither, and nothing goes without TLS then", async () => {
      await using registry = await served();
      expect(await registry.resolve({ "ca.crt": stranger.ca })).toBe("unavailable");
      expect(registry.asked).toEqual([]);
    });

    test.each([
      ["is shown to whoever asks for it", true, { "a.cert": "client.cert", "a.key": "client.key" }],
      ["of a stranger is turned away", false, { "a.cert": "stranger.cert", "a.key": "stranger.key" }],
      ["that is wanted and missing ends there", false, {}],
    ])("a certificate of ours %s", async (_, isIn, files: Readonly<Record<string, string>>) => {
      const parties = { client, stranger };
      const paths = Object.entries(files).map(([name, from]) => {
        const [party, part] = from.split(".") as ["client" | "stranger", "cert" | "key"];
        return [name, parties[party][part]] as const;
      });
      await using registry = await served({ wantsClient: true });
      expect(await registry.resolve({ "ca.crt": server.ca, ...Object.fromEntries(paths) })).toBe(
        isIn ? "not_found" : "unavailable",
      );
      expect(registry.asked).toHaveLength(isIn ? 1 : 0);
    });

    test.each([
      [{ "a.cert": "x" }, "missing key a.key for client certificate a.cert"],
      [{ "a.key": "x" }, "missing client certificate a.cert for key a.key"],
      [{ "a.crt": "no certificate" }, "it holds no PEM"],
    ])("%j is refused", async (files, sentence) => {
      const folder = `${root.path}/${crypto.randomUUID()}`;
      for (const [name, text] of Object.entries(files)) await Bun.write(`${folder}/r.test/${name}`, text);
      await expect(new Certificates([folder]).trust("r.test")).rejects.toMatchObject({
        kind: "invalid",
        message: expect.stringContaining(sentence),
      });
    });

    test("a folder may be named with the port that is understood", async () => {
      const folder = `${root.path}/${crypto.randomUUID()}`;
      await Bun.write(`${folder}/r.test:443/ca.crt`, Bun.file(server.ca));
      const found = await new Certificates([folder]).trust("r.test");
      expect([found.isBound, found.authorities.at(-1)]).toEqual([true, await Bun.file(server.ca).text()]);
      expect((await new Certificates([folder]).trust("r.test:5000")).isBound).toBe(false);
    });

    test("no host leads out of the folder", async () => {
      const folder = `${root.path}/${crypto.randomUUID()}`;
      await Bun.write(`${folder}/certs.d/r.test/ca.crt`, Bun.file(server.ca));
      await Bun.write(`${folder}/ca.crt`, Bun.file(server.ca));
      const { host } = new URL("https://../v1/search");
      for (const name of [host, ".", "../certs.d/r.test"])
        expect((await new Certificates([`${folder}/certs.d`]).trust(name)).isBound).toBe(false);
    });
  },
);
