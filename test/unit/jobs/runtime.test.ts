import { expect, test } from "bun:test";
import { settleRuntime } from "../../../src/jobs/container/runtime.ts";
import { specOf } from "../../fakes/containers.ts";

const DRIVERS = ["native", "other"];

test.each([
  ["", "native"],
  ["runc", "native"],
  ["native", "native"],
  ["other", "other"],
])("the runtime %j is %s", (runtime, expected) => {
  expect(settleRuntime(specOf({}, { runtime }), DRIVERS).host.runtime).toBe(expected);
});

test("one that is not there is refused by name, and never replaced", () => {
  expect(() => settleRuntime(specOf({}, { runtime: "runsc" }), DRIVERS)).toThrow(
    "unknown or invalid runtime name: runsc; there is native, other",
  );
});
