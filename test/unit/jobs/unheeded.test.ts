import { expect, test } from "bun:test";
import { refuseUnheeded } from "../../../src/jobs/container/unheeded.ts";
import { specOf } from "../../fakes/containers.ts";

const endpoint = { aliases: [], links: [], driverOptions: {}, linkLocalAddresses: [], gatewayPriority: 0 };

test("what has an effect passes", () => {
  expect(() => refuseUnheeded(specOf())).not.toThrow();
  expect(() => refuseUnheeded(specOf({ networks: { bridge: endpoint } }))).not.toThrow();
  expect(() => refuseUnheeded(specOf({ stopSignal: "SIGRTMIN+3" }))).not.toThrow();
});

test.each([
  [specOf({}, { storageOptions: { size: "1G" } }), "--storage-opt is not supported"],
  [specOf({ stopSignal: "FOO" }), "Invalid signal: FOO"],
])("%#", (spec, words) => {
  expect(() => refuseUnheeded(spec)).toThrow(words);
});
