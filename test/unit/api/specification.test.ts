import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { z } from "zod";
import { REPLIES } from "../../fakes/replies.ts";
import { differences, type Specification } from "../../fakes/specification.ts";

/** The description of Docker's API 1.56, where it lies beside the project. */
const FILE = resolve(import.meta.dir, "../../../../shared/data/engine-api.yaml");
const isThere = existsSync(FILE);
const specification: Specification = isThere
  ? (Bun.YAML.parse(readFileSync(FILE, "utf8")) as Specification)
  : { definitions: {}, paths: {} };

const fields = (names: string, prefix: string, whose: "here" | "there") =>
  names.split(" ").map((name) => `${prefix}.${name}: only ${whose}`);

/** An enumeration that the description writes as a reference beside its text. */
const MOUNT_TYPE = "Type: string here, object there";
/** For clients of an older API. */
const OLD_DISK_USAGE = fields("LayersSize Images Containers Volumes BuildCache BuilderSize", "", "here");
const OLD_NETWORK_SETTINGS = fields(
  "Bridge HairpinMode LinkLocalIPv6Address LinkLocalIPv6PrefixLen SecondaryIPAddresses SecondaryIPv6Addresses EndpointID Gateway GlobalIPv6Address GlobalIPv6PrefixLen IPAddress IPPrefixLen IPv6Gateway MacAddress",
  ".NetworkSettings",
  "here",
);
const OLD_IMAGE_SETTINGS =
  "Hostname Domainname AttachStdin AttachStdout AttachStderr Tty OpenStdin StdinOnce Image";
/** What a store of images has that keeps several platforms of one, which this is not. */
const OF_MANIFESTS = fields("Descriptor Manifests", "", "there");
/** Of a swarm. */
const CLUSTER_VOLUME = "ClusterVolume: only there";
/** Volumes are measured by GET /system/df alone, as Docker does it. */
const USAGE = "UsageData: only there";
const WINDOWS_STORAGE = fields(
  "read_count_normalized read_size_bytes write_count_normalized write_size_bytes",
  ".storage_stats",
  "there",
);

/** Every place where a reply is not what the description says, by the reply. */
const WANTED: Readonly<Record<string, readonly string[]>> = {
  "GET /containers/json": ["[].ImageManifestDescriptor: only there", `[].Mounts[].${MOUNT_TYPE}`],
  "GET /containers/:id/json": [
    ...OLD_NETWORK_SETTINGS,
    ...fields("KernelMemory KernelMemoryTCP", ".HostConfig", "here"),
    ".Config.MacAddress: only here",
    ...fields("ImageManifestDescriptor Storage", "", "there"),
    `.Mounts[].${MOUNT_TYPE}`,
    `.HostConfig.Mounts[].${MOUNT_TYPE}`,
    ...fields("IDMapping IdMap", ".HostConfig.Mounts[].BindOptions", "here"),
  ],
  "GET /containers/:id/stats": [
    ...fields("commitbytes commitpeakbytes privateworkingset", ".memory_stats", "there"),
    ...WINDOWS_STORAGE,
  ],
  "GET /version": [".Experimental: only there"],
  "GET /info": [
    ...fields("BridgeNfIptables BridgeNfIp6tables", "", "here"),
    ...fields(
      "AllowNondistributableArtifactsCIDRs AllowNondistributableArtifactsHostnames",
      ".RegistryConfig",
      "here",
    ),
    ...["ContainerdCommit", "RuncCommit", "InitCommit"].map((commit) => `.${commit}.Expected: only here`),
    // What there is nothing to say of: Docker leaves these out as well.
    ...fields("Containerd DiscoveredDevices FirewallBackend NRI ProductLicense", "", "there"),
    ...fields("runtimeArgs status", ".Runtimes{}", "there"),
    ...fields("Cluster Managers Nodes", ".Swarm", "there"),
  ],
  "GET /system/df": OLD_DISK_USAGE,
  "GET /events": fields("status id from", "", "here"),
  "GET /images/json": [...OF_MANIFESTS.map((line) => `[]${line}`), "[].VirtualSize: only here"],
  "GET /images/:name{.+}/json": [
    ...OF_MANIFESTS,
    ...fields(OLD_IMAGE_SETTINGS, ".Config", "here"),
    ...fields("Container ContainerConfig DockerVersion Parent VirtualSize", "", "here"),
    ".Identity: only there",
  ],
  "GET /distribution/:name{.+}/json": fields(
    "annotations artifactType data platform urls",
    ".Descriptor",
    "there",
  ),
  "GET /volumes": [`.Volumes[].${CLUSTER_VOLUME}`, `.Volumes[].${USAGE}`],
  "POST /volumes/create": [`.${CLUSTER_VOLUME}`, `.${USAGE}`],
  "GET /volumes/:name": [`.${CLUSTER_VOLUME}`, `.${USAGE}`],
  "GET /networks": ["[].Containers: only here", "[].Peers: only there"],
  "GET /networks/:id": fields("Peers Services", "", "there"),
};

const described = Object.entries(REPLIES).flatMap(([route, reply]) => {
  const [method = "", path = ""] = route.replace(/:(\w+)(\{\.\+\})?/g, "{$1}").split(" ");
  const responses = specification.paths[path]?.[method.toLowerCase()]?.responses ?? {};
  const [, good] = Object.entries(responses).find(([status]) => Number(status) < 300) ?? [];
  return "schema" in reply && good?.schema !== undefined ? [[route, reply.schema, good.schema] as const] : [];
});

describe.skipIf(!isThere)(
  `replies and Docker's description of them${isThere ? "" : " (skipped: it is not beside the project)"}`,
  () => {
    test.each(described)("%s", (route, schema: z.ZodType, theirs) => {
      const found = differences(schema, theirs, specification);
      expect(found.sort()).toEqual([...(WANTED[route] ?? [])].sort());
    });

    test("are compared wherever there is one", () => {
      expect(described.length).toBeGreaterThan(25);
      expect(Object.keys(WANTED).filter((route) => !described.some(([known]) => known === route))).toEqual(
        [],
      );
    });
  },
);
