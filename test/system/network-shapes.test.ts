import { afterAll, beforeAll, expect, test } from "bun:test";
import { FakeRegistry } from "../fakes/registry.ts";
import { DEBIAN_DOCKER } from "../fixtures/clients.ts";
import { TestDaemon } from "../fixtures/daemon.ts";
import { Dockerd } from "../fixtures/dockerd.ts";
import { busyboxImage, requirePackages } from "../fixtures/index.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
/** What Debian's dockerd speaks. */
const VERSION = "v1.41";
const PROGRAM = "/usr/sbin/dockerd";
const isHere = process.getuid?.() === 0 && (await Bun.file(PROGRAM).exists());
const engines: { name: string; host: string; request: Dockerd["request"] }[] = [];
const stack = new AsyncDisposableStack();

interface Json {
  readonly [key: string]: unknown;
}

beforeAll(async () => {
  if (!isHere) return;
  await requirePackages(["docker.io"]);
  const fake = stack.use(await FakeRegistry.start());
  await serveImage(fake, "library/busybox", await busyboxImage());
  const daemon = stack.use(await TestDaemon.start({ args: ["--registry-mirror", fake.url] }));
  await daemon.ok("pull", "-q", "busybox");
  const bunker = {
    name: "bunker",
    host: `unix://${daemon.socket}`,
    request: (method: string, path: string, body?: unknown) => daemon.request(method, path, body),
  };
  const dockerd = await Dockerd.start();
  if (dockerd === undefined) throw new Error("dockerd is installed and does not start; its log is above");
  stack.use(dockerd);
  // The image travels by its layer: dockerd has no way to the registry from its own network.
  await daemon.ok("create", "--name", "carrier", "busybox");
  const files = await daemon.request("GET", "/containers/carrier/export");
  const imported = await fetch("http://docker/images/create?fromSrc=-&repo=busybox", {
    unix: dockerd.host.replace("unix://", ""),
    method: "POST",
    headers: { "Content-Type": "application/x-tar" },
    body: await files.bytes(),
  });
  expect(imported.status).toBe(200);
  await imported.text();
  await daemon.ok("rm", "carrier");
  engines.push(bunker, {
    name: "dockerd",
    host: dockerd.host,
    request: (...asked) => dockerd.request(...asked),
  });
  for (const { host } of engines) await prepare(host);
}, 5 * MINUTE);

afterAll(async () => {
  for (const { host } of engines) {
    const left = ["web", "shared", "hosted", "alone", "plain", "fresh", "ended"];
    await DEBIAN_DOCKER.run(host, ["rm", "-f", ...left]);
    await DEBIAN_DOCKER.run(host, ["network", "rm", "front", "back", "six"]);
  }
  await stack.disposeAsync();
}, 2 * MINUTE);

/** The same networks and containers on either engine, by the same client. */
async function prepare(host: string): Promise<void> {
  const docker = (...words: string[]) => DEBIAN_DOCKER.ok(host, ...words);
  const front = ["--subnet", "10.99.0.0/16", "--ip-range", "10.99.5.0/24", "--label", "a=b"];
  await docker("network", "create", ...front, "-o", "com.docker.network.bridge.enable_icc=true", "front");
  await docker("network", "create", "back");
  await docker("network", "create", "--ipv6", "--subnet", "fd99::/64", "six");
  const sleep = ["busybox", "/bin/sleep", "600"];
  const web = ["--hostname", "hn", "--network", "front", "--network-alias", "shop", "--ip", "10.99.5.9"];
  await docker("run", "-d", "--name", "web", ...web, "-p", "8080:80", "--expose", "99", ...sleep);
  await docker("network", "connect", "--alias", "two", "back", "web");
  await docker("run", "-d", "--name", "shared", "--network", "container:web", ...sleep);
  await docker("run", "-d", "--name", "hosted", "--network", "host", "--expose", "80", ...sleep);
  await docker("run", "-d", "--name", "alone", "--network", "none", "--expose", "80", ...sleep);
  await docker("run", "-d", "--name", "plain", "--expose", "80", ...sleep);
  await docker("create", "--name", "fresh", "--network", "front", ...sleep);
  await docker("run", "--name", "ended", "--network", "front", "busybox", "/bin/true");
}

/** What matters of a value's shape: which keys, which types, what is empty and what is null. */
function shape(value: unknown): unknown {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") return value === "" ? "" : "text";
  if (typeof value === "number") return value === 0 ? 0 : "number";
  if (Array.isArray(value)) return value.map(shape);
  const entries = Object.entries(value as Json).map(([key, item]) => {
    const isId = /^[0-9a-f]{64}$/.test(key);
    return [isId ? "ID" : key, shape(item)] as const;
  });
  return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** The two differ, and clients do not care: an empty map or list for null, and what Docker has of a namespace that ended. */
function comparable(settings: Json): Json {
  const Networks = Object.entries((settings.Networks ?? {}) as Record<string, Json>).map(
    ([name, endpoint]) => {
      const loose = ["IPAMConfig", "DriverOpts", "Aliases"].map((key) => {
        const item = endpoint[key];
        return [key, item === null || Object.keys(item as object).length === 0 ? null : item] as const;
      });
      return [name, { ...endpoint, ...Object.fromEntries(loose) }] as const;
    },
  );
  const isUp = Object.values(Object.fromEntries(Networks)).some(({ EndpointID }: Json) => EndpointID !== "");
  const sandbox = isUp ? {} : { SandboxID: "", SandboxKey: "" };
  return { ...settings, ...sandbox, Networks: Object.fromEntries(Networks) };
}

async function both(path: string, of: (body: Json) => unknown): Promise<readonly unknown[]> {
  const seen = engines.map(async ({ request }) => {
    const response = await request("GET", `/${VERSION}${path}`);
    expect(response.status).toBe(200);
    return shape(of((await response.json()) as Json));
  });
  return Promise.all(seen);
}

/** Without a bridge's options, which name what each engine makes of them. */
const reason = isHere ? "" : " (skipped: needs root and Debian's dockerd)";

test.skipIf(!isHere).each(["bridge", "host", "none", "front", "back", "six"])(
  `network %s is shown as by dockerd${reason}`,
  async (name) => {
    const [bunker, dockerd] = await both(`/networks/${name}`, ({ Options: _, Peers: __, ...network }) => {
      const { IPAM } = network as { IPAM: { Config: Json[] } };
      // Whether a gateway that nobody asked for is shown has changed between Docker's own versions.
      const Config = IPAM.Config.map(({ Gateway: _gateway, ...rest }) => rest);
      return { ...network, IPAM: { ...IPAM, Config } };
    });
    expect(bunker).toEqual(dockerd);
  },
  MINUTE,
);

test.skipIf(!isHere).each(["web", "shared", "hosted", "alone", "plain", "fresh", "ended"])(
  `NetworkSettings of container %s are those of dockerd${reason}`,
  async (name) => {
    const [bunker, dockerd] = await both(`/containers/${name}/json`, ({ NetworkSettings }) =>
      comparable(NetworkSettings as Json),
    );
    expect(bunker).toEqual(dockerd);
  },
  MINUTE,
);

test.skipIf(!isHere)(
  `rows of the list have dockerd's ports and networks${reason}`,
  async () => {
    const rows = (body: Json) => {
      const found = (body as unknown as Json[]).map(({ Names, Ports, NetworkSettings }) => {
        const [name = ""] = Names as string[];
        // Docker's are in no order.
        const ports = (Ports as Json[]).map((port) => JSON.stringify(shape(port))).sort();
        return [name, { Ports: ports, NetworkSettings: comparable(NetworkSettings as Json) }] as const;
      });
      return Object.fromEntries(found);
    };
    const [bunker, dockerd] = await both("/containers/json?all=1", rows);
    expect(bunker).toEqual(dockerd);
  },
  MINUTE,
);
