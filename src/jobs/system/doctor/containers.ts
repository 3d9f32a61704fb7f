import { access, mkdir } from "node:fs/promises";
import type { Container } from "#container";
import type { LayerId } from "#graph";
import type { Digest } from "#oci";
import type { Rooms } from "../../rooms.ts";
import type { DoctorFinding } from "../types.ts";

type Needs = Pick<Rooms, "containers" | "graph" | "volumes">;

const FOLDER_MODE = 0o710;

/** Containers that lack something they were made with. */
export async function troubledContainers(needs: Needs): Promise<readonly DoctorFinding[]> {
  const findings: DoctorFinding[] = [];
  for (const [id, reason] of needs.containers.damaged)
    findings.push(
      broken(`container ${id}`, reason, "What it wrote is kept in its layer, and nothing removes it"),
    );
  for (const container of needs.containers.list()) findings.push(...(await troubles(needs, container)));
  return findings;
}

async function troubles(
  { graph, volumes, containers }: Needs,
  container: Container,
): Promise<readonly DoctorFinding[]> {
  const { id, name, layer, directory, imageId, mounts } = container;
  const subject = `container ${name}`;
  const findings: DoctorFinding[] = [];
  if (!(await graph.driver.has(layer as LayerId)))
    findings.push(broken(subject, "its writable layer is missing", `bunker rm ${name}`));
  if (!(await isThere(directory)))
    findings.push(
      broken(subject, "its folder is missing, and its log with it", "bunker doctor --repair makes it anew"),
    );
  if (graph.images.get(imageId as Digest) === undefined)
    findings.push(
      broken(subject, "its image is not here: it cannot be started or committed", `bunker rm ${name}`),
    );
  for (const volume of new Set(mounts.flatMap((mount) => mount.name ?? [])))
    if (volumes.find(volume) === undefined)
      findings.push(broken(subject, `its volume ${volume} is not known`, `bunker volume create ${volume}`));
  // It may have been removed while it was looked at.
  return containers.get(id) === undefined ? [] : findings;
}

/** Volumes whose folder is not there, and such as belong to nobody that exists. */
export async function troubledVolumes({ volumes, containers }: Needs): Promise<readonly DoctorFinding[]> {
  const findings: DoctorFinding[] = [];
  for (const { name, mountpoint } of volumes.list()) {
    if (volumes.isFolder(name) && !(await isThere(mountpoint)) && volumes.find(name) !== undefined)
      findings.push(
        broken(
          `volume ${name}`,
          `its folder ${mountpoint} is missing`,
          `put it back, or bunker volume rm ${name}`,
        ),
      );
    for (const user of volumes.usersOf(name))
      if (containers.get(user) === undefined && !containers.damaged.has(user))
        findings.push({
          subject: `volume ${name}`,
          verdict: "note",
          sentence: `it is kept for the container ${user}, which is not there`,
          remedy: "The next start of the daemon lets it go",
        });
  }
  return findings;
}

/** Makes the folders of containers again that have none. */
export async function mendContainers({ containers }: Needs): Promise<readonly DoctorFinding[]> {
  const findings: DoctorFinding[] = [];
  for (const { id, name, directory } of containers.list()) {
    if ((await isThere(directory)) || containers.get(id) === undefined) continue;
    await mkdir(directory, { recursive: true, mode: FOLDER_MODE });
    findings.push({
      subject: `container ${name}`,
      verdict: "mended",
      sentence: "its folder was missing",
      remedy: "It was made anew; its log is lost",
    });
  }
  return findings;
}

function broken(subject: string, sentence: string, remedy: string): DoctorFinding {
  return { subject, verdict: "broken", sentence, remedy };
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
