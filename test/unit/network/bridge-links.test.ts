import { expect, test } from "bun:test";
import { portFlags } from "../../../src/network/drivers/bridge/links.ts";

const UNFILTERED = { some: false, every: false };
const FILTERED = { some: true, every: true };

test.each([
  ["open inside", { isOpenInside: true }, UNFILTERED, []],
  ["closed, where no rule sees frames", { isOpenInside: false }, UNFILTERED, ["apart"]],
  [
    "closed, where rules see frames of one family",
    { isOpenInside: false },
    { ...FILTERED, every: false },
    ["apart"],
  ],
  ["closed, where rules see all frames", { isOpenInside: false }, FILTERED, []],
  ["closed, without rules", { isOpenInside: false, hasRules: false }, FILTERED, ["apart"]],
  ["closed, without rules and frames", { isOpenInside: false, hasRules: false }, UNFILTERED, ["apart"]],
  ["publishing, where rules see frames", { isOpenInside: true, isPublishing: true }, FILTERED, ["reflect"]],
  ["publishing, where none does", { isOpenInside: true, isPublishing: true }, UNFILTERED, []],
] as const)("a port of a bridge that is %s", (_, facts, filtering, expected) => {
  const steps = portFlags("veth0", { isPublishing: false, hasRules: true, ...facts }, filtering);
  expect(steps.map(({ purpose }) => /apart|reflect/.exec(purpose)?.[0] ?? purpose)).toEqual([...expected]);
});
