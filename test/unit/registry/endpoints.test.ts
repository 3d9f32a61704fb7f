import { describe, expect, test } from "bun:test";
import { parseReference } from "#oci";
import { endpointsOf } from "#registry";

const bases = (text: string, settings: { mirrors?: readonly string[]; insecure?: readonly string[] } = {}) =>
  endpointsOf(parseReference(text), { mirrors: [], insecure: [], ...settings }).flatMap(
    (endpoint) => endpoint.bases,
  );

const PLAIN = ["https://", "http://"];

describe("a repository is asked for", () => {
  test.each([
    ["httpd", {}, ["https://registry-1.docker.io"]],
    [
      "httpd",
      { mirrors: ["https://m1", "https://m2/hub/"] },
      ["https://m1", "https://m2/hub", "https://registry-1.docker.io"],
    ],
    ["quay.io/a", { mirrors: ["https://m1"] }, ["https://quay.io"]],
    ["localhost/a", {}, PLAIN.map((scheme) => `${scheme}localhost`)],
    ["localhost:5000/a", {}, PLAIN.map((scheme) => `${scheme}localhost:5000`)],
    ["127.9.9.9:5000/a", {}, PLAIN.map((scheme) => `${scheme}127.9.9.9:5000`)],
    ["[::1]:5000/a", {}, PLAIN.map((scheme) => `${scheme}[::1]:5000`)],
    ["128.0.0.1:5000/a", {}, ["https://128.0.0.1:5000"]],
    ["[::2]:5000/a", {}, ["https://[::2]:5000"]],
    ["localhost.evil.example/a", {}, ["https://localhost.evil.example"]],
    ["127.0.0.1.evil.example/a", {}, ["https://127.0.0.1.evil.example"]],
    [
      "reg.example:5000/a",
      { insecure: ["reg.example:5000"] },
      PLAIN.map((scheme) => `${scheme}reg.example:5000`),
    ],
    ["reg.example:5000/a", { insecure: ["REG.example"] }, PLAIN.map((scheme) => `${scheme}reg.example:5000`)],
    ["reg.example:5001/a", { insecure: ["reg.example:5000"] }, ["https://reg.example:5001"]],
    ["10.1.2.3/a", { insecure: ["10.0.0.0/8"] }, PLAIN.map((scheme) => `${scheme}10.1.2.3`)],
    ["11.1.2.3/a", { insecure: ["10.0.0.0/8"] }, ["https://11.1.2.3"]],
    ["[fd00::1]:5000/a", { insecure: ["fd00::/8"] }, PLAIN.map((scheme) => `${scheme}[fd00::1]:5000`)],
    ["10.1.2.3/a", { insecure: ["10.0.0.0/x", "10.0.0.0/99", "/", "10.0.0.0/"] }, ["https://10.1.2.3"]],
  ])("%s with %j", (text, settings, expected) => {
    expect(bases(text, settings)).toEqual([...expected]);
  });
});

test.each([
  ["not a URL", "mirror.example"],
  ["another scheme", "ftp://mirror.example"],
  ["a query", "https://mirror.example/?x=1"],
  ["a password", "https://u:p@mirror.example"],
  ["no TLS", "http://mirror.example"],
])("a mirror with %s is refused", (_name, mirror) => {
  expect(() => bases("httpd", { mirrors: [mirror] })).toThrow(expect.objectContaining({ kind: "invalid" }));
});

test("a mirror without TLS is taken when its host is allowed to be insecure", () => {
  const settings = { mirrors: ["http://mirror.example:5000/"], insecure: ["mirror.example:5000"] };
  expect(bases("httpd", settings)[0]).toBe("http://mirror.example:5000");
});
