import { expect, test } from "bun:test";
import { settleRuntime } from "../../../src/jobs/container/runtime.ts";
import { specOf } from "../../fakes/containers.ts";

const OTHER = { path: "/usr/bin/other", args: [] };
const settled = (runtime: string, names: readonly string[] = ["other"], defaultRuntime = "native") =>
  settleRuntime(specOf({}, { runtime }), {
    runtimes: Object.fromEntries(names.map((name) => [name, OTHER])),
    defaultRuntime,
  }).host.runtime;

test.each([
  ["", "native"],
  ["runc", "native"],
  ["io.containerd.runc.v2", "native"],
  ["bunker", "native"],
  ["native", "native"],
  ["other", "other"],
])("the runtime %j is %s", (runtime, expected) => {
  expect(settled(runtime)).toBe(expected);
});

test("a runtime that is called runc takes the name", () => {
  expect(settled("runc", ["runc"])).toBe("runc");
});

test("a container that asks for none has the default", () => {
  expect(settled("", ["other"], "other")).toBe("other");
  expect(settled("native", ["other"], "other")).toBe("native");
});

test.each(["runsc", "toString", "__proto__"])(
  "%s, which is not there, is refused by name and never replaced",
  (name) => {
    expect(() => settled(name)).toThrow(`unknown or invalid runtime name: ${name}; there is native, other`);
  },
);
