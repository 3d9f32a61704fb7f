import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { findCdiDevices, injectCdiDevices } from "#libcontainer";
import { scratch } from "../../fakes/scratch.ts";
import { bindRoot, processSpec, runtimeSpec } from "../../fixtures/runtime-spec.ts";

const file = (edits: object = {}, more: object = {}) =>
  JSON.stringify({
    cdiVersion: "1.0.0",
    kind: "vendor.com/thing",
    devices: [{ name: "one", containerEdits: edits }],
    ...more,
  });

async function found(files: Readonly<Record<string, string>>) {
  await using place = await scratch();
  for (const folder of ["low", "high"]) mkdirSync(`${place.path}/${folder}`);
  for (const [path, text] of Object.entries(files)) writeFileSync(`${place.path}/${path}`, text);
  return findCdiDevices([`${place.path}/low`, `${place.path}/nosuch`, `${place.path}/high`]);
}

describe("the files of CDI", () => {
  test("of a later folder count more than those of an earlier one", async () => {
    const { devices, problems } = await found({
      "low/a.json": file({ env: ["FROM=low"] }),
      "high/a.yaml":
        "{cdiVersion: '0.5.0', kind: vendor.com/thing, devices: [{name: one, containerEdits: {env: [FROM=high]}}]}",
      "high/ignored.txt": "no",
    });
    expect(devices.get("vendor.com/thing=one")?.edits.env).toEqual(["FROM=high"]);
    expect(problems).toEqual([]);
  });

  test("that describe one device twice in one folder make it unusable", async () => {
    const { devices, problems } = await found({ "low/a.json": file(), "low/b.json": file() });
    expect([...devices.keys()]).toEqual([]);
    expect(problems).toEqual([
      expect.stringMatching(/vendor\.com\/thing=one is described by .*a\.json and .*b\.json/),
    ]);
  });

  test.each([
    ["no JSON", "{"],
    ["another kind", file({}, { kind: "thing" })],
    ["no device", file({}, { devices: [] })],
    ["a name with a blank", file({}, { devices: [{ name: "a b" }] })],
    ["a path that is none", file({ deviceNodes: [{ path: "dev/x" }] })],
    ["a variable without a name", file({ env: ["=x"] })],
    ["a hook that is no hook", file({ hooks: [{ hookName: "sometime", path: "/x" }] })],
  ])("with %s are named and left out", async (_what, text) => {
    const { devices, problems } = await found({ "low/bad.json": text, "low/good.json": file() });
    expect([...devices.keys()]).toEqual(["vendor.com/thing=one"]);
    expect(problems).toEqual([expect.stringContaining("bad.json: ")]);
  });
});

describe("what CDI changes", () => {
  const spec = runtimeSpec("box", bindRoot("/"), {
    process: processSpec(["true"], { env: ["A=image", "B=image"] }),
  });

  test("is the file's common part once, then each device's, over what is there", async () => {
    const { devices } = await found({
      "low/a.json": file(
        {},
        {
          containerEdits: { env: ["A=common", "N=0"] },
          devices: [
            { name: "one", containerEdits: { env: ["N=1"] } },
            { name: "two", containerEdits: { env: ["M=2"] } },
          ],
        },
      ),
    });
    const edited = injectCdiDevices(spec, [...devices.values()]);
    expect(edited.process.env).toEqual(["B=image", "A=common", "N=1", "M=2"]);
  });

  test("has mounts where their depth puts them, and nodes in place of those of their name", async () => {
    const { devices } = await found({
      "low/a.json": file({
        mounts: [{ hostPath: "/x", containerPath: "/opt" }],
        deviceNodes: [{ path: "/dev/zero", type: "c", major: 1, minor: 3, hostPath: "/nosuch" }],
      }),
    });
    const deep = { type: "tmpfs", source: "tmpfs", destination: "/opt/deep/er", options: [] };
    const edited = injectCdiDevices({ ...spec, mounts: [...spec.mounts, deep] }, [...devices.values()]);
    expect(
      edited.mounts.map(({ destination }) => destination).filter((path) => path.startsWith("/opt")),
    ).toEqual(["/opt", "/opt/deep/er"]);
    expect(edited.mounts.find(({ destination }) => destination === "/opt")).toMatchObject({
      type: "bind",
      options: ["rbind"],
    });
    const zero = edited.linux.devices.filter(({ path }) => path === "/dev/zero");
    expect(zero).toEqual([expect.objectContaining({ major: 1, minor: 3, fileMode: 0o660 })]);
    expect(edited.linux.resources.devices.at(-1)).toEqual({
      allow: true,
      type: "c",
      major: 1,
      minor: 3,
      access: "rwm",
    });
  });

  test.each([
    [{ deviceNodes: [{ path: "/dev/nosuch" }] }, "no such device"],
    [{ deviceNodes: [{ path: "/dev/x", hostPath: "/dev/null", type: "b" }] }, "no such device"],
    [{ intelRdt: {} }, "not supported"],
    [{ netDevices: [{}] }, "not supported"],
  ])("is refused: %j", async (edits, says) => {
    const { devices } = await found({ "low/a.json": file(edits) });
    expect(() => injectCdiDevices(spec, [...devices.values()])).toThrow(says);
  });
});
