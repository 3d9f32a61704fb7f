import { describe, expect, test } from "bun:test";
import {
  familiarReference,
  familiarRepository,
  formatReference,
  isTag,
  parseNamed,
  parseReference,
  repository,
} from "#oci";

const HEX = "0123456789abcdef".repeat(4);
const DIGEST = `sha256:${HEX}`;
const SHA512 = `sha512:${HEX}${HEX}`;

describe("a reference is accepted and normalised", () => {
  test.each([
    ["httpd", "docker.io/library/httpd:latest", "httpd:latest"],
    ["httpd:2.4", "docker.io/library/httpd:2.4", "httpd:2.4"],
    ["library/httpd", "docker.io/library/httpd:latest", "httpd:latest"],
    ["docker.io/httpd", "docker.io/library/httpd:latest", "httpd:latest"],
    ["docker.io/library/httpd", "docker.io/library/httpd:latest", "httpd:latest"],
    ["index.docker.io/httpd", "docker.io/library/httpd:latest", "httpd:latest"],
    ["user/app", "docker.io/user/app:latest", "user/app:latest"],
    ["docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"],
    ["localhost/app", "localhost/app:latest", "localhost/app:latest"],
    ["localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest"],
    ["localhost:5000/app:1", "localhost:5000/app:1", "localhost:5000/app:1"],
    ["quay.io/a/b/c:v1.2_3-x", "quay.io/a/b/c:v1.2_3-x", "quay.io/a/b/c:v1.2_3-x"],
    ["[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"],
    ["127.0.0.1:80/x__y", "127.0.0.1:80/x__y:latest", "127.0.0.1:80/x__y:latest"],
    ["Example.COM/app", "Example.COM/app:latest", "Example.COM/app:latest"],
    ["app:5000", "docker.io/library/app:5000", "app:5000"],
    ["a-b---c.d_e", "docker.io/library/a-b---c.d_e:latest", "a-b---c.d_e:latest"],
    [`httpd@${DIGEST}`, `docker.io/library/httpd@${DIGEST}`, `httpd@${DIGEST}`],
    [`httpd@${SHA512}`, `docker.io/library/httpd@${SHA512}`, `httpd@${SHA512}`],
    [`httpd:2.4@${DIGEST}`, `docker.io/library/httpd:2.4@${DIGEST}`, `httpd:2.4@${DIGEST}`],
    ["x:TAG_Upper.1-2", "docker.io/library/x:TAG_Upper.1-2", "x:TAG_Upper.1-2"],
    [`x:${"t".repeat(128)}`, `docker.io/library/x:${"t".repeat(128)}`, `x:${"t".repeat(128)}`],
  ])("%s", (text, whole, familiar) => {
    const reference = parseReference(text);
    expect(formatReference(reference)).toBe(whole);
    expect(familiarReference(reference)).toBe(familiar);
    expect(parseReference(whole)).toEqual(reference);
    expect(parseReference(familiar)).toEqual(reference);
  });
});

describe("a reference is refused as malformed", () => {
  const malformed = [
    ["", "empty"],
    [":latest", "no name"],
    ["httpd:", "empty tag"],
    ["httpd:-x", "tag begins with a hyphen"],
    ["httpd:.x", "tag begins with a dot"],
    ["httpd:a:b", "two tags"],
    [`httpd:${"t".repeat(129)}`, "tag too long"],
    ["httpd:tag/x", "slash in the tag"],
    ["/httpd", "leading slash"],
    ["httpd/", "trailing slash"],
    ["a//b", "empty component"],
    ["-httpd", "leading hyphen"],
    ["httpd-", "trailing hyphen"],
    ["a..b", "two dots"],
    ["a___b", "three underscores"],
    ["a._b", "two separators"],
    ["../etc/passwd", "dot dot"],
    ["localhost:5000/../x", "dot dot behind a host"],
    ["localhost:port/x", "port is no number"],
    ["-host.com/x", "host begins with a hyphen"],
    ["[::1/x", "bracket not closed"],
    ["https://example.com/x", "a URL"],
    ["httpd latest", "blank"],
    ["httpd\n", "newline"],
    ["httpd\u0000", "NUL"],
    ["hëllo", "letter outside ASCII"],
    ["httpd@", "empty digest"],
    ["httpd@sha256:abc", "short digest"],
    [`httpd@sha256:${HEX}0`, "long digest"],
    [`httpd@sha256:${HEX.toUpperCase()}`, "upper-case digest"],
    [`httpd@md5:${HEX}`, "unknown algorithm"],
    [`httpd@${DIGEST}@${DIGEST}`, "two digests"],
    [`httpd@${DIGEST}:x`, "tag behind the digest"],
    [`httpd@sha256:../../${HEX.slice(6)}`, "path in the digest"],
    ["a".repeat(2000), "far too long"],
  ] as const;
  test.each(malformed.map(([text, reason]) => [reason, text] as const))("%s", (_reason, text) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ kind: "invalid", message: "invalid reference format" }),
    );
  });
});

describe("a refusal has Docker's words", () => {
  test.each([
    ["Foo", "invalid reference format: repository name (library/Foo) must be lowercase"],
    ["Foo/bar", "invalid reference format: repository name (Foo/bar) must be lowercase"],
    ["quay.io/Foo:x", "invalid reference format: repository name (Foo) must be lowercase"],
    [HEX, `invalid repository name (${HEX}), cannot specify 64-byte hexadecimal strings`],
    [`${"a/".repeat(125)}a`, "repository name must not be more than 255 characters"],
  ])("%s", (text, message) => {
    const check = () => parseReference(text);
    expect(check).toThrow(expect.objectContaining({ kind: "invalid", message }));
  });
});

test("a repository has no tag unless one was written", () => {
  expect(parseNamed("httpd")).toEqual({ domain: "docker.io", path: "library/httpd" });
  expect(parseNamed("httpd:1")).toEqual({ domain: "docker.io", path: "library/httpd", tag: "1" });
});

test("a repository is named in full and as people write it", () => {
  const reference = parseReference(`httpd:2@${DIGEST}`);
  expect(repository(reference)).toBe("docker.io/library/httpd");
  expect(familiarRepository(reference)).toBe("httpd");
  expect(familiarRepository(parseReference("docker.io/user/app"))).toBe("user/app");
});

test("a tag is one word", () => {
  expect(["latest", "1.0", "_x", "A-b"].every(isTag)).toBe(true);
  expect(["", "a b", "a/b", "-a", "a:b", "a\n"].some(isTag)).toBe(false);
});
