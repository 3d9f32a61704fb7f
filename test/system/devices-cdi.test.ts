import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { type Scratch, scratch } from "../fakes/scratch.ts";
import { describeFlags } from "../fixtures/flag-probes.ts";
import { HostPart, PATIENCE } from "../fixtures/host-part.ts";

let part: HostPart;
let place: Scratch;

/** What every machine has: the vendor calls the null device its own. */
const file = (folder: string) => ({
  cdiVersion: "0.8.0",
  kind: "vendor.com/thing",
  containerEdits: {
    env: ["VENDOR=ours"],
    mounts: [{ hostPath: folder, containerPath: "/opt/vendor", options: ["ro", "nosuid", "nodev", "bind"] }],
  },
  devices: [
    {
      name: "one",
      containerEdits: {
        env: ["THING=one"],
        deviceNodes: [
          { path: "/dev/thing", hostPath: "/dev/loop-control", permissions: "r", fileMode: 0o644 },
        ],
        additionalGids: [4242],
      },
    },
    { name: "hooked", containerEdits: { hooks: [{ hookName: "createContainer", path: "/bin/true" }] } },
  ],
});

const GPUS = `cdiVersion: "0.6.0"
kind: nvidia.com/gpu
devices:
  - name: "0"
    containerEdits: {env: [GPU_0=yes]}
  - name: "1"
    containerEdits: {env: [GPU_1=yes]}
  - name: all
    containerEdits: {env: [GPU_0=yes, GPU_1=yes]}
`;

beforeAll(async () => {
  place = await scratch();
  for (const folder of ["low", "high", "files"]) mkdirSync(`${place.path}/${folder}`);
  writeFileSync(`${place.path}/files/driver`, "the vendor's\n");
  writeFileSync(`${place.path}/low/vendor.json`, JSON.stringify(file("/nosuch")));
  writeFileSync(`${place.path}/high/vendor.json`, JSON.stringify(file(`${place.path}/files`)));
  writeFileSync(`${place.path}/high/gpus.yaml`, GPUS);
  writeFileSync(`${place.path}/high/broken.yaml`, "kind: [");
  const folders = ["low", "high"].flatMap((folder) => ["--cdi-spec-dir", `${place.path}/${folder}`]);
  part = await HostPart.openWith(folders, "busybox");
}, PATIENCE);
afterAll(async () => {
  await part?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
}, PATIENCE);

describeFlags(
  "a device by its CDI name",
  [
    {
      flag: "its variables",
      words: [],
      look: "env | grep -E '^(THING|VENDOR)' | sort",
      sees: "THING=one\nVENDOR=ours",
    },
    {
      flag: "its node",
      words: [],
      look: "stat -c %a /dev/thing; : < /dev/thing && echo read; : > /dev/thing",
      sees: /^644\nread\n.*Operation not permitted$/,
    },
    {
      flag: "its mount",
      words: [],
      look: "cat /opt/vendor/driver; touch /opt/vendor/x",
      sees: /^the vendor's\n.*Read-only/,
    },
    { flag: "its group", words: [], look: "id -G", sees: /\b4242\b/ },
  ],
  () => ({ part, before: ["--device", "vendor.com/thing=one"] }),
);

test.each([
  ["all", "GPU_0=yes\nGPU_1=yes"],
  ["1", "GPU_0=yes"],
  ["device=1", "GPU_1=yes"],
])("--gpus %s gives what the vendor's file says", async (value, variables) => {
  const found = await part.daemon.ok(
    "run",
    "--rm",
    "--gpus",
    value,
    "busybox",
    "sh",
    "-c",
    "env | grep GPU_ | sort",
  );
  expect(found).toBe(variables);
});

test.each([
  [["--device", "vendor.com/thing=two"], /unresolvable CDI devices vendor.com\/thing=two.*broken\.yaml/],
  [["--device", "vendor.com/thing=hooked"], /runs no hooks/],
  [["--gpus", "driver=other"], /could not select device driver "other" with capabilities: \[\[gpu\]\]/],
  [["--gpus", "device=7"], /nvidia\.com\/gpu=7/],
])("%j is refused, and leaves nothing", async (words, says) => {
  const outcome = await part.daemon.cli("run", "--rm", ...words, "busybox", "true");
  expect(outcome).toMatchObject({ code: 125, stderr: expect.stringMatching(says) });
  expect(await part.daemon.ok("ps", "-aq")).toBe("");
});

test("info names folders and devices, and inspect what was asked for", async () => {
  const info = await part.daemon.json<{ CDISpecDirs: string[]; DiscoveredDevices: object[] }>("/info");
  expect(info.CDISpecDirs).toEqual([`${place.path}/low`, `${place.path}/high`]);
  expect(info.DiscoveredDevices).toContainEqual({ Source: "cdi", ID: "vendor.com/thing=one" });
  const id = await part.daemon.ok("create", "--gpus", "all", "busybox");
  const asked = JSON.parse(await part.daemon.ok("inspect", "-f", "{{json .HostConfig.DeviceRequests}}", id));
  expect(asked).toEqual([{ Driver: "", Count: -1, DeviceIDs: null, Capabilities: [["gpu"]], Options: {} }]);
  await part.daemon.ok("rm", id);
});
