import { cp, mkdir, rm, symlink } from "node:fs/promises";
import { run } from "../fixtures/daemon.ts";

/** `crun run` of busybox's true in new namespaces, network included: about the least that a container costs. */
export async function bareCrun(directory: string, state: string): Promise<(() => Promise<void>) | undefined> {
  const crun = Bun.which("crun");
  if (crun === null) return undefined;
  await rm(directory, { recursive: true, force: true });
  await mkdir(`${directory}/rootfs/bin`, { recursive: true });
  await cp("/bin/busybox", `${directory}/rootfs/bin/busybox`);
  await symlink("busybox", `${directory}/rootfs/bin/true`);
  const spec = await run(["sh", "-c", 'cd "$1" && exec "$2" spec', "sh", directory, crun]);
  if (spec.code !== 0) throw new Error(`crun spec ended with ${spec.code}: ${spec.stderr}`);
  const config = JSON.parse(await Bun.file(`${directory}/config.json`).text());
  config.process = { ...config.process, terminal: false, args: ["/bin/true"], rlimits: [] };
  await Bun.write(`${directory}/config.json`, JSON.stringify(config));
  let count = 0;
  return async () => {
    count += 1;
    const { code, stderr } = await run([
      crun,
      "--root",
      state,
      "--cgroup-manager=cgroupfs",
      "run",
      "--bundle",
      directory,
      `bench${count}`,
    ]);
    if (code !== 0) throw new Error(`crun run ended with ${code}: ${stderr}`);
  };
}
