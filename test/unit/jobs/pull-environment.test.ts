import { expect, test } from "bun:test";
import { parseReference } from "#oci";
import { pullEnvironment } from "../../../src/jobs/system/doctor/credentials.ts";

const auth = (username: string) => ({ username, password: "p" });
const CONFIG = JSON.stringify({
  "https://index.docker.io/v1/": auth("hub"),
  "registry.test:5000": auth("own"),
});

test.each([
  ["busybox", "hub"],
  [`registry.test:5000/team/one@sha256:${"a".repeat(64)}`, "own"],
  ["registry.test/team/one", undefined],
  ["other.test/one", undefined],
])("%s is pulled as %p", (name, username) => {
  const made = pullEnvironment({ REGISTRY_CONFIG: CONFIG, API_VERSION: "1.50" }, parseReference(name));
  expect(made).toEqual({
    API_VERSION: "1.50",
    ...(username !== undefined && { REGISTRY_AUTH: JSON.stringify(auth(username)) }),
  });
});

test.each([undefined, "", "{", "[]", '"text"', "null"])("%p is no credentials", (text) => {
  const environment = text === undefined ? {} : { REGISTRY_CONFIG: text };
  expect(pullEnvironment(environment as Record<string, string>, parseReference("busybox"))).toEqual({});
});
