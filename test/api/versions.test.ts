import { describe, expect, test } from "bun:test";
import { JOBS } from "../fakes/answering-jobs.ts";
import { appOver } from "../fakes/app-over.ts";
import { containerView } from "../fakes/container-view.ts";

/** [what is asked, a field of the reply, the first version that has it, the first that has it no more] */
type Row = readonly [string, string, string | undefined, string | undefined];

/** Source: Docker Engine API, version history. */
const ROWS: readonly Row[] = [
  ["/events", "status", undefined, "1.52"],
  ["/events", "id", undefined, "1.52"],
  ["/events", "from", undefined, "1.52"],
  ["/info", "BridgeNfIptables", undefined, "1.50"],
  ["/info", "BridgeNfIp6tables", undefined, "1.50"],
  ["/info", "RegistryConfig.AllowNondistributableArtifactsCIDRs", undefined, "1.49"],
  ["/info", "RuncCommit.Expected", undefined, "1.49"],
  ["/system/df", "BuilderSize", undefined, "1.42"],
  ["/system/df", "LayersSize", undefined, "1.53"],
  ["/system/df", "Images", undefined, "1.53"],
  ["/system/df?verbose=1", "Images", undefined, "1.52"],
  ["/system/df", "Images.0.VirtualSize", undefined, "1.44"],
  ["/system/df", "ImageUsage.TotalCount", "1.52", undefined],
  ["/system/df?verbose=1", "ContainerUsage.Items", "1.52", undefined],
  ["/images/json", "0.VirtualSize", undefined, "1.44"],
  ["/images/httpd/json", "VirtualSize", undefined, "1.44"],
  ["/images/httpd/json", "Container", undefined, "1.45"],
  ["/images/httpd/json", "ContainerConfig", undefined, "1.45"],
  ["/images/httpd/json", "Config.Hostname", undefined, "1.50"],
  ["/images/httpd/json", "Config.Labels", undefined, "1.52"],
  ["/images/httpd/json", "Config.OnBuild", undefined, "1.52"],
  ["/images/httpd/json", "Parent", undefined, "1.52"],
  ["/images/httpd/json", "DockerVersion", undefined, "1.52"],
  ["/images/httpd/json", "Author", undefined, "1.52"],
  ["/containers/json", "0.HostConfig.Annotations", "1.46", undefined],
  ["/containers/json", "0.Health", "1.52", undefined],
  ["/containers/json", "0.NetworkSettings.Networks.bridge.GwPriority", "1.48", undefined],
  ["/containers/json", "0.NetworkSettings.Networks.bridge.DNSNames", "1.44", undefined],
  ["/containers/web/json", "HostConfig.KernelMemory", undefined, "1.42"],
  ["/containers/web/json", "Config.OnBuild", undefined, "1.52"],
  ["/containers/web/json", "NetworkSettings.IPAddress", undefined, "1.52"],
  ["/containers/web/json", "NetworkSettings.Bridge", undefined, "1.52"],
  ["/containers/web/json", "NetworkSettings.Networks.bridge.DNSNames", "1.44", undefined],
  ["/containers/web/json", "NetworkSettings.Networks.bridge.GwPriority", "1.48", undefined],
  ["/containers/web/stats?stream=0", "os_type", "1.52", undefined],
  ["/networks/bridge", "Status", "1.52", undefined],
  ["/networks/bridge", "EnableIPv4", "1.48", undefined],
  ["/networks", "0.Containers", undefined, "1.52"],
];

const IMAGE = await JOBS["image.inspect"]?.({ ref: "httpd" }, undefined as never);
const annotated = () => {
  const { spec } = containerView().container;
  return containerView({ container: { spec: { ...spec, host: { ...spec.host, annotations: { a: "b" } } } } });
};
const jobs = {
  ...JOBS,
  "container.list": () => [annotated()],
  "system.events": async function* () {
    yield {
      type: "container",
      action: "start",
      id: "c",
      attributes: { image: "httpd" },
      timeNano: 1n,
    } as const;
  },
  "container.stats": async function* () {
    yield { id: "c", name: "web" };
  },
} as typeof JOBS;

/** What a version answers at the path, or undefined where there is nothing. */
async function field(version: string, path: string, name: string): Promise<unknown> {
  const response = await appOver(jobs).ask(`GET /v${version}${path}`);
  expect(response.status).toBe(200);
  let value: unknown = JSON.parse(await response.text());
  for (const part of name.split(".")) value = (value as Record<string, unknown> | null | undefined)?.[part];
  return value;
}

const before = (version: string) => `1.${Number(version.slice(2)) - 1}`;

describe("a field comes and goes with the version", () => {
  test.each(ROWS)("GET %s: %s since %p, no more since %p", async (path, name, since, gone) => {
    if (since !== undefined) {
      expect(await field(before(since), path, name)).toBeUndefined();
      expect(await field(since, path, name)).not.toBeUndefined();
      expect(await field("1.56", path, name)).not.toBeUndefined();
    }
    if (gone !== undefined) {
      expect(await field("1.24", path, name)).not.toBeUndefined();
      expect(await field(before(gone), path, name)).not.toBeUndefined();
      expect(await field(gone, path, name)).toBeUndefined();
    }
  });

  test("an image without a name has one of angle brackets below 1.43", async () => {
    const nameless = () => [{ ...(IMAGE as NonNullable<typeof IMAGE>), tags: [], digests: [] }];
    const ask = async (version: string) =>
      (await appOver({ "image.list": nameless }).ask(`GET /v${version}/images/json`)).json();
    expect(await ask("1.42")).toMatchObject([
      { RepoTags: ["<none>:<none>"], RepoDigests: ["<none>@<none>"] },
    ]);
    expect(await ask("1.43")).toMatchObject([{ RepoTags: [], RepoDigests: [] }]);
  });

  test("how many containers an image has is told from 1.51 on, and always by what they cost", async () => {
    expect(await field("1.50", "/images/json", "0.Containers")).toBe(-1);
    expect(await field("1.51", "/images/json", "0.Containers")).toBe(1);
    expect(await field("1.41", "/system/df", "Images.0.Containers")).toBe(1);
  });

  test("what is shared of an image is measured when it is asked for", async () => {
    expect(await field("1.44", "/images/json", "0.SharedSize")).toBe(-1);
    expect(await field("1.44", "/images/json?shared-size=1", "0.SharedSize")).toBe(7);
  });

  test("an image that does not know when it was made has no time, and below 1.44 the zero one", async () => {
    const { created: _, ...config } = (IMAGE as NonNullable<typeof IMAGE>).config;
    const timeless = () => ({ ...(IMAGE as NonNullable<typeof IMAGE>), config });
    const ask = async (version: string) =>
      (await appOver({ "image.inspect": timeless }).ask(`GET /v${version}/images/httpd/json`)).json();
    expect(await ask("1.43")).toHaveProperty("Created", "0001-01-01T00:00:00Z");
    expect(await ask("1.44")).not.toHaveProperty("Created");
  });
});
