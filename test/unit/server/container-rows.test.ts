import { expect, test } from "bun:test";
import { ContainerDetails, ContainerRows } from "../../../src/server/container-rows.ts";
import { toJson } from "../../../src/server/json.ts";
import { toContainerInspect } from "../../../src/server/translate/container-inspect.ts";
import { toContainerSummary } from "../../../src/server/translate/container-list.ts";
import { containerView } from "../../fakes/container-view.ts";

const NOW = new Date("2026-01-02T03:05:06Z");
const at = (now = NOW, version = "1.56") => ({ now, version });
const view = containerView();
const [endpoint] = view.endpoints;
const fresh = (changed: typeof view, when = at()) => toJson([toContainerSummary(changed, when)]);

test.each([
  ["nothing", view, at()],
  ["a minute later", view, at(new Date("2026-01-02T03:06:06Z"))],
  ["another version of the API", view, at(NOW, "1.41")],
  ["another name of the image", { ...view, imageName: "web:2" }, at()],
  ["sizes", { ...view, sizeRw: 5, sizeRootFs: 7 }, at()],
  ["no endpoint any more", { ...view, endpoints: [], networkIds: { bridge: "aa" } }, at()],
  ["another address", { ...view, endpoints: endpoint ? [{ ...endpoint, address: "172.17.0.9" }] : [] }, at()],
  ["no port", { ...view, ports: [] }, at()],
  ["a link to it", { ...view, linkedNames: ["/shop/db"] }, at()],
  ["another record", containerView({ state: { status: "paused" } }), at()],
] as const)("a row is as fresh as one made anew: %s", (_what, changed, when) => {
  const rows = new ContainerRows();
  expect(rows.json([view], at())).toBe(fresh(view));
  expect(rows.json([changed], when)).toBe(fresh(changed, when));
  expect(rows.json([changed], when)).toBe(fresh(changed, when));
  expect(rows.json([view], at())).toBe(fresh(view));
});

test.each([
  ["nothing", view, "1.56"],
  ["another version of the API", view, "1.41"],
  ["another name of the image", { ...view, imageName: "web:2" }, "1.56"],
  ["sizes", { ...view, sizeRw: 5, sizeRootFs: 7 }, "1.56"],
  ["no endpoint any more", { ...view, endpoints: [], networkIds: { bridge: "aa" } }, "1.56"],
  [
    "another address",
    { ...view, endpoints: endpoint ? [{ ...endpoint, address: "172.17.0.9" }] : [] },
    "1.56",
  ],
  ["no port", { ...view, ports: [] }, "1.56"],
  ["an exec", { ...view, execIds: ["e1"] }, "1.56"],
  ["another exec", { ...view, execIds: ["e2"] }, "1.56"],
  ["a link from it", { ...view, links: ["/db:/web/db"] }, "1.56"],
  ["another place of its layers", { ...view, graphData: { MergedDir: "/elsewhere" } }, "1.56"],
  ["a profile", { ...view, appArmorProfile: "mine" }, "1.56"],
  ["another record", containerView({ state: { status: "paused" } }), "1.56"],
] as const)("an inspection is as fresh as one made anew: %s", (_what, changed, version) => {
  const details = new ContainerDetails();
  const anew = (of: typeof view, at: string) => toJson(toContainerInspect(of, at));
  for (const [of, at] of [
    [view, "1.56"],
    [changed, version],
    [changed, version],
    [view, "1.56"],
  ] as const)
    expect(details.json(of, at)).toBe(anew(of, at));
});

test("no rows are an empty list", () => {
  expect(new ContainerRows().json([], at())).toBe("[]");
});
