import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { type Digest, MEDIA } from "#oci";
import { BUNKER, type Outcome, run, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, requirePackages, startRegistry, type TestRegistry } from "../fixtures/index.ts";

let base: string;
let undo: AsyncDisposableStack;
let registry: TestRegistry;
let daemon: TestDaemon;
let digest: Digest;

beforeAll(async () => {
  await requirePackages(["docker.io", "docker-registry", "skopeo"]);
  undo = new AsyncDisposableStack();
  base = await mkdtemp(`${tmpdir()}/registry-clients-`);
  undo.defer(() => rm(base, { recursive: true, force: true }));
  const image = await busyboxImage();
  digest = image.manifest.digest;
  registry = undo.use(await startRegistry({ "team/one": image, "team/two": image }));
  daemon = undo.use(await TestDaemon.start());
}, 120_000);
afterAll(() => undo?.disposeAsync(), 120_000);

/** bunker's client or docker's, with one home for both. */
function client(program: string) {
  const environment = {
    DOCKER_CONFIG: `${base}/home`,
    BUNKER_HOST: `unix://${daemon.socket}`,
    DOCKER_HOST: `unix://${daemon.socket}`,
    DOCKER_CLI_EXPERIMENTAL: "enabled",
  };
  return (...words: string[]): Promise<Outcome> => run([program, ...words], environment);
}

const bunker = (...words: string[]) => client(BUNKER)(...words);
const docker = (...words: string[]) => client("docker")(...words);

async function listed(name: string): Promise<{ type: string | null; digests: readonly string[] }> {
  const headers = { Accept: `${MEDIA.ociIndex}, ${MEDIA.dockerIndex}` };
  const answer = await fetch(`${registry.url}/v2/${name}`, { headers });
  const { manifests = [] } = (await answer.json()) as { manifests?: { digest: string }[] };
  return { type: answer.headers.get("content-type"), digests: manifests.map((one) => one.digest) };
}

describe("a list of manifests", () => {
  test("is put together from another repository, and Debian's registry and skopeo know it", async () => {
    const list = `${registry.host}/team/list:1`;
    const words = ["manifest", "create", list, `${registry.host}/team/one`];
    expect(await bunker(...words)).toMatchObject({ code: 0, stderr: "" });
    expect(await bunker("manifest", "push", list)).toMatchObject({ code: 0, stderr: "" });
    expect(await listed("team/list/manifests/1")).toEqual({ type: MEDIA.ociIndex, digests: [digest] });
    const copied = await run([
      ...["skopeo", "copy", "--src-tls-verify=false", `docker://${list}`, `dir:${base}/copied`],
    ]);
    expect(copied.stderr).toBe("");
    expect((await daemon.cli("pull", list)).code).toBe(0);
  });

  test("that docker's client began is seen by ours, and the other way round", async () => {
    const [theirs, ours] = [`${registry.host}/team/one:theirs`, `${registry.host}/team/one:ours`];
    const one = `${registry.host}/team/one:latest`;
    expect((await bunker("manifest", "create", ours, one)).code).toBe(0);
    const seen = await docker("manifest", "inspect", ours);
    expect([seen.code, seen.stdout]).toEqual([0, expect.stringContaining(digest)]);
    const begun = await docker("manifest", "create", "--insecure", theirs, one);
    // Clients as old as Debian's know Docker's manifests only.
    if (begun.code === 0) expect((await bunker("manifest", "inspect", theirs)).stdout).toContain(digest);
    else expect(begun.stderr).toMatch(/unsupported|not supported|no such manifest/i);
    expect((await readdir(`${base}/home/manifests`)).every((name) => /^[\w.-]+$/.test(name))).toBe(true);
    expect((await bunker("manifest", "rm", ours)).code).toBe(0);
  });
});

describe("docker's client", () => {
  test("searches a registry through the engine", async () => {
    const none = await docker("search", `${registry.host}/team`);
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining("it does not answer searches")]);
  });

  test("pulls all tags through the engine, by digest, and quietly", async () => {
    const image = await busyboxImage();
    for (const tag of ["a", "b", "c"]) await registry.push("team/many", image, tag);
    const name = `${registry.host}/team/many`;
    expect((await docker("pull", "-a", "-q", name)).code).toBe(0);
    const tags = await docker("images", "--format", "{{.Tag}}", name);
    expect(tags.stdout.trim().split("\n").sort()).toEqual(["a", "b", "c"]);
    const quiet = await docker("pull", "-q", `${name}@${digest}`);
    expect([quiet.code, quiet.stdout]).toEqual([0, `${name}@${digest}\n`]);
    const wrong = await docker("pull", "--platform", "linux/s390x", `${name}:a`);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("linux/s390x")]);
  });
});
