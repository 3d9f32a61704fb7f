import { expect, test } from "bun:test";
import { readConfig } from "../../../src/daemon/config.ts";
import { forgetProxies, proxySettings } from "../../../src/daemon/registry-values.ts";
import { scratch } from "../../fakes/scratch.ts";

const ENV = { HTTP_PROXY: "http://env:1", https_proxy: "http://env:2", NO_PROXY: "env" };

async function proxies(file: object, flags: readonly string[] = [], env: object = {}) {
  await using place = await scratch();
  await Bun.write(`${place.path}/daemon.json`, JSON.stringify(file));
  return proxySettings(readConfig(["--config-file", `${place.path}/daemon.json`, ...flags]), { ...env });
}

test("the object counts as the three keys do, each before the environment", async () => {
  const three = { "http-proxy": "http://p:1", "https-proxy": "http://p:2", "no-proxy": "a,b" };
  const wanted = { http: "http://p:1", https: "http://p:2", none: "a,b" };
  expect(await proxies({ proxies: three }, [], ENV)).toEqual(wanted);
  expect(await proxies(three, [], ENV)).toEqual(wanted);
  expect(
    await proxies({}, ["--http-proxy=http://p:1", "--https-proxy=http://p:2", "--no-proxy=a,b"], ENV),
  ).toEqual(wanted);
  expect(await proxies({}, [], ENV)).toEqual({ http: "http://env:1", https: "http://env:2", none: "env" });
  expect(await proxies({})).toEqual({ http: "", https: "", none: "" });
});

test("nothing of the environment is left for others to be proxied by", () => {
  const env: Record<string, string | undefined> = { ...ENV, ALL_PROXY: "x", PATH: "/bin" };
  forgetProxies(env);
  expect(env).toEqual({ PATH: "/bin" });
});

test.each([
  [{ proxies: { "http-proxy": "socks5://x" } }],
  [{ "https-proxy": "x" }],
  [{ proxies: { "ftp-proxy": "http://x" } }],
])("%j is refused", async (file) => {
  expect(proxies(file)).rejects.toThrow("is not valid");
});
