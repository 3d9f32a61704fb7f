import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { UNBUILT } from "../../../src/cli/unbuilt.ts";
import { told } from "../../fakes/fake-console.ts";

const NOWHERE = "unix:///nonexistent.sock";
const env = { DOCKER_CONFIG: "/nonexistent" };
/** Whoever has installed a plugin on this machine gets the plugin. */
const isInstalled = (name: string) =>
  ["/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec"].some((folder) =>
    existsSync(`${folder}/docker/cli-plugins/docker-${name}`),
  );

test.each(Object.entries(UNBUILT).filter(([name]) => !isInstalled(name)))(
  "%s, with whatever behind it, is one sentence and exit code 1",
  async (name, sentence) => {
    expect(sentence).toMatch(/^Cannot [a-z ]+: [^.\n]+; [^\n]*[^.\n]$/);
    const refused = { code: 1, out: "", err: `${sentence}\n` };
    expect(await told(NOWHERE, [name, "x", "--all"], { env })).toEqual(refused);
    expect(await told(NOWHERE, [name], { env })).toEqual(refused);
    expect(await told(NOWHERE, ["help", name, "x"], { env })).toEqual(
      name === "build" ? expect.objectContaining({ code: 0 }) : refused,
    );
  },
);

// Every one of docker's commands that bunker lacks, and the two groups that only another daemon serves.
test.each([...Object.keys(UNBUILT), "builder", "checkpoint"])("no shell offers %s", async (name) => {
  const offered = async (...words: string[]) =>
    (await told(NOWHERE, ["__completeNoDesc", ...words], { env })).out.split("\n");
  expect(await offered("")).toContain("container");
  expect(await offered(name)).not.toContain(name);
  expect(await offered("image", name)).not.toContain(name);
  expect(await offered("image", "")).toContain("history");
});

test("a word that only looks like one of them is unknown as before", async () => {
  const { code, err } = await told(NOWHERE, ["toString"], { env });
  expect({ code, err }).toEqual({
    code: 1,
    err: expect.stringContaining("unknown command: bunker toString"),
  });
});
