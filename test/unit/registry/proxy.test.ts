import { expect, test } from "bun:test";
import { proxyFor } from "../../../src/registry/client/proxy.ts";

const PROXIES = { http: "http://plain:1", https: "http://secure:2" };

test.each([
  ["https://registry.example.org/v2/", "", "http://secure:2"],
  ["http://registry.example.org/v2/", "", "http://plain:1"],
  ["https://localhost:5000/v2/", "", undefined],
  ["https://127.0.0.9:5000/v2/", "", undefined],
  ["https://[::1]:5000/v2/", "", undefined],
  ["https://a.example.org/", "example.org", undefined],
  ["https://example.org/", "example.org", undefined],
  ["https://notexample.org/", "example.org", "http://secure:2"],
  ["https://example.org/", ".example.org", "http://secure:2"],
  ["https://a.example.org/", " x , .EXAMPLE.org", undefined],
  ["https://a.example.org/", "*.example.org", undefined],
  ["https://a.example.org:5000/", "example.org:5000", undefined],
  ["https://a.example.org:5001/", "example.org:5000", "http://secure:2"],
  ["https://a.example.org/", "example.org:443", undefined],
  ["https://10.1.2.3/", "10.0.0.0/8", undefined],
  ["https://10.1.2.3:5000/", "10.1.2.3", undefined],
  ["https://11.1.2.3/", "10.0.0.0/8,nonsense/99", "http://secure:2"],
  ["https://[fd00::1]/", "fd00::/8", undefined],
  ["https://anything/", "*", undefined],
])("%s with no-proxy %j goes by %p", (url, none, proxy) => {
  expect(proxyFor(new URL(url), { ...PROXIES, none })).toBe(proxy);
});

test("without a proxy for its protocol a host is reached straight", () => {
  expect(proxyFor(new URL("https://x.org/"), { http: "http://plain:1" })).toBeUndefined();
  expect(proxyFor(new URL("https://x.org/"), { http: "", https: "" })).toBeUndefined();
});
