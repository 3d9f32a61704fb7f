import { describe, expect, test } from "bun:test";
import { noVirtualMachine, parseReport, testInVm } from "../fixtures/vm.ts";

const HOST_PART = "./test/system/host";
const reason = noVirtualMachine === undefined ? "" : ` (skipped: ${noVirtualMachine})`;
const outcome = noVirtualMachine === undefined ? await testInVm(HOST_PART) : undefined;

describe.skipIf(outcome === undefined)(
  `in a virtual machine with systemd, cgroup v2 and AppArmor${reason}`,
  () => {
    test("the tests of the host are run to their end", () => {
      const ended = outcome?.cases.map(({ status }) => status) ?? [];
      if (outcome?.code !== 0) process.stderr.write(`${outcome?.stdout}${outcome?.stderr}`);
      expect({ code: outcome?.code, skipped: ended.filter((status) => status === "skipped") }).toEqual({
        code: 0,
        skipped: [],
      });
      expect(ended.length).toBeGreaterThan(15);
    });

    for (const { name, status } of outcome?.cases ?? []) test(name, () => expect(status).toBe("passed"));
  },
);

test("the cases of a report are read with what became of them", () => {
  const attributes = 'time="0.1" file="a.test.ts" line="3" assertions="1"';
  const report = `<testsuites><testsuite name="a.test.ts">
    <testcase name="one &lt;&amp;&quot;&gt;" classname="" ${attributes} />
    <testcase name="two" classname="group" ${attributes}><skipped /></testcase>
    <testcase name="three" classname="group &gt; inner" ${attributes}>
      <failure type="AssertionError" />
    </testcase></testsuite></testsuites>`;
  expect(parseReport(report)).toEqual([
    { name: 'one <&">', status: "passed" },
    { name: "group > two", status: "skipped" },
    { name: "group > inner > three", status: "failed" },
  ]);
});
