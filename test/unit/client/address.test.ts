import { describe, expect, test } from "bun:test";
import { parseAddress } from "#client";

describe("an address", () => {
  test.each([
    ["unix:///run/x.sock", "unix:///run/x.sock"],
    ["tcp://10.0.0.1:2375", "tcp://10.0.0.1:2375"],
    ["tcp://10.0.0.1", "tcp://10.0.0.1:2375"],
    ["http://host:80/", "tcp://host:80"],
    ["host:1234", "tcp://host:1234"],
    ["host", "tcp://host:2375"],
    [":4000", "tcp://127.0.0.1:4000"],
    ["tcp://[::1]:99", "tcp://[::1]:99"],
    [" tcp://a:1 ", "tcp://a:1"],
  ])("%p is %p", (typed, text) => {
    expect(parseAddress(typed).text).toBe(text);
  });

  test("with TLS the port is 2376 unless another is named", () => {
    expect(parseAddress("tcp://host", true).text).toBe("tcp://host:2376");
    expect(parseAddress("tcp://host:1", true).text).toBe("tcp://host:1");
  });

  test.each([
    ["unix://relative.sock", "needs an absolute path"],
    ["npipe://x", "bunker speaks unix://, tcp:// and ssh://"],
    ["ssh://-oProxyCommand=x", "begin with a dash"],
    ["ssh://-l@host", "begin with a dash"],
    ["ssh://me:word@host", "plain-text password is not supported"],
    ["ssh://", "is not ssh://"],
    ["ssh://host?x=y", "is not ssh://"],
    ["ssh://host:0", "is not ssh://"],
    ["tcp://host:99999", "is not host:port"],
    ["tcp://a:b:c", "is not host:port"],
  ])("%p is refused", (typed, reason) => {
    expect(() => parseAddress(typed)).toThrow(reason);
  });
});
