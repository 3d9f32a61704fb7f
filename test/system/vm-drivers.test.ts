import { describe, expect, test } from "bun:test";
import { noVirtualMachine, testSourceInVm } from "../fixtures/vm.ts";

const SUITE = "./test/conformance/graph-drivers.test.ts";
/** What depends on the kernel; all of it would take ten minutes there. */
const KERNELS_PART =
  /everything its parent holds|opaque directories|changes name|same tree|genuine mount|limit goes|is bounded|is full/;
const DRIVERS = [
  "overlay2 on ext4",
  "erofs",
  "vfs",
  "fuse-overlayfs on ext4",
  "btrfs on btrfs",
  "overlay2 on xfs",
];
const reason = noVirtualMachine === undefined ? "" : ` (skipped: ${noVirtualMachine})`;
const outcome = noVirtualMachine === undefined ? await testSourceInVm(SUITE, KERNELS_PART) : undefined;

describe.skipIf(outcome === undefined)(`graph drivers under Debian's own kernel${reason}`, () => {
  test("every one is there, and the suite is run to its end", () => {
    if (outcome?.code !== 0) process.stderr.write(`${outcome?.stdout}${outcome?.stderr}`);
    expect(outcome?.code).toBe(0);
    const ran = outcome?.cases.filter(({ status }) => status === "passed").map(({ name }) => name) ?? [];
    for (const driver of DRIVERS)
      expect(ran.filter((name) => name.startsWith(`graph driver ${driver} > `)).length).toBe(8);
  });

  for (const { name, status } of outcome?.cases ?? [])
    if (KERNELS_PART.test(name)) test(name, () => expect(status).toBe("passed"));
});
