import { z } from "zod";
import { defineJob, type JobContext } from "#engine";
import { sentenceOf } from "#errors";
import type { Ailment, Examination, Healed, LayerId } from "#graph";
import { type Digest, familiarReference, formatPlatform, formatReference, parseReference } from "#oci";
import { pullImage } from "../image/pull.ts";
import type { Rooms } from "../rooms.ts";
import { mendContainers, troubledContainers, troubledVolumes } from "./doctor/containers.ts";
import { pullEnvironment } from "./doctor/credentials.ts";
import { mendRecords, troubledRecords } from "./doctor/records.ts";
import type { DoctorFinding, DoctorReport } from "./types.ts";

type Needs = Pick<
  Rooms,
  "containers" | "database" | "events" | "graph" | "monitor" | "openRegistry" | "settings" | "volumes"
>;

interface Errand {
  readonly isQuick: boolean;
  readonly context: JobContext;
}

/** Looks whether everything that is written down is there and is what it should be, and mends what can be mended. */
export const doctor = (needs: Needs) =>
  defineJob({
    name: "system.doctor",
    input: z.object({ isQuick: z.boolean(), repairs: z.boolean() }),

    async run({ isQuick, repairs }, context): Promise<DoctorReport> {
      const errand = { isQuick, context };
      const first = await look(needs, errand);
      if (!repairs) return first.report;
      const mended = await mend(needs, first, errand);
      context.phase("looking again");
      const { report } = await look(needs, errand);
      return { ...report, findings: [...mended, ...report.findings] };
    },
  });

interface Looked {
  readonly examination: Examination;
  readonly report: DoctorReport;
}

async function look(needs: Needs, { isQuick, context }: Errand): Promise<Looked> {
  const { signal, phase } = context;
  phase("looking at records");
  const records = troubledRecords(needs);
  const containers = [...(await troubledContainers(needs)), ...(await troubledVolumes(needs))];
  const examination = await needs.graph.examine({ keep: writableLayers(needs), isQuick, signal, phase });
  const { ailments, strangers, garbage, checked } = examination;
  return {
    examination,
    report: {
      checked: {
        ...checked,
        containers: needs.containers.list().length,
        volumes: needs.volumes.list().length,
      },
      findings: [
        ...records,
        ...containers,
        ...ailments.map((ailment) => ailing(needs, ailment)),
        ...strangers.map(stranger),
        ...(garbage.length === 0 ? [] : [leftovers(garbage)]),
      ],
    },
  };
}

function writableLayers({ containers }: Needs): ReadonlySet<LayerId> {
  return new Set([...containers.list().map(({ layer }) => layer), ...containers.damaged.keys()] as LayerId[]);
}

function ailing(needs: Needs, { kind, id, sentence, images }: Ailment): DoctorFinding {
  const names = images.map((image) => nameOf(needs, image));
  const [source] = images.flatMap((image) => sourceOf(needs, image) ?? []);
  const where = names.length === 0 ? "" : ` (of ${names.join(", ")})`;
  return {
    subject: `${kind} ${id}`,
    verdict: "broken",
    sentence: `${sentence}${where}`,
    remedy:
      source === undefined
        ? "bunker doctor --repair makes it again or takes it out of the way"
        : `bunker doctor --repair, or bunker pull ${source}, brings it again`,
  };
}

function stranger(id: LayerId): DoctorFinding {
  return {
    subject: `layer ${id}`,
    verdict: "note",
    sentence: "it lies on disk, and no record speaks of it",
    remedy: "The next start of the daemon removes it",
  };
}

function leftovers(garbage: Examination["garbage"]): DoctorFinding {
  const bytes = garbage.reduce((sum, file) => sum + file.bytes, 0);
  return {
    subject: "content store",
    verdict: "note",
    sentence: `${garbage.length} files of ${bytes} bytes are kept for a pull to go on with, and nothing else needs them`,
    remedy: "bunker gc removes them now, the daemon's start after a week",
  };
}

function nameOf({ graph }: Needs, id: Digest): string {
  const image = graph.images.get(id);
  const [name] = [...(image?.tags ?? []), ...(image?.digests ?? [])];
  return name === undefined ? id : familiarReference(name);
}

/** By what name a registry has exactly this image. */
function sourceOf({ graph }: Needs, id: Digest): string | undefined {
  const [name] = graph.images.namesOf(id).filter(({ digest }) => digest !== undefined);
  return name && formatReference(name);
}

async function mend(
  needs: Needs,
  { examination }: Looked,
  errand: Errand,
): Promise<readonly DoctorFinding[]> {
  const { context } = errand;
  context.phase("mending");
  const records = await mendRecords(needs);
  const containers = await mendContainers(needs);
  const healed = await needs.graph.heal(examination.ailments, {
    busy: (layer) => whoRunsOn(needs, layer),
    signal: context.signal,
  });
  const pulled = await pullAgain(needs, healed, context);
  return [...records, ...containers, ...healed.flatMap((one) => told(one, pulled))];
}

/** The images that lack something now, from where they came. Image → why not, or nothing. */
async function pullAgain(
  needs: Needs,
  healed: readonly Healed[],
  context: JobContext,
): Promise<ReadonlyMap<Digest, string | undefined>> {
  const wanted = healed.filter(({ how }) => how === "gone").flatMap(({ ailment }) => ailment.images);
  const outcomes = new Map<Digest, string | undefined>();
  const pull = pullImage(needs);
  for (const id of new Set(wanted)) {
    const reference = sourceOf(needs, id);
    if (reference === undefined) {
      outcomes.set(id, "no registry is known to have the image");
      continue;
    }
    const config = needs.graph.images.get(id)?.config;
    const platform = config === undefined ? {} : { platform: formatPlatform(config) };
    const environment = pullEnvironment(context.environment, parseReference(reference));
    const failure = await pull
      .run({ reference, allTags: false, ...platform }, { ...context, environment })
      .then(() => undefined, sentenceOf);
    context.signal.throwIfAborted();
    outcomes.set(id, failure);
  }
  return outcomes;
}

/** What could not be mended is found again, and told then. */
function told(
  { ailment, how, sentence }: Healed,
  pulled: ReadonlyMap<Digest, string | undefined>,
): readonly DoctorFinding[] {
  const failures = ailment.images.flatMap((image) => pulled.get(image) ?? []);
  const [failure] = failures;
  if (how === "left") return [];
  const isMended = how === "mended" || (failure === undefined && ailment.images.length > 0);
  return [
    {
      subject: `${ailment.kind} ${ailment.id}`,
      verdict: isMended ? "mended" : "note",
      sentence: ailment.sentence,
      remedy: how === "mended" ? sentence : `${sentence}; ${failure ?? "it was pulled again"}`,
    },
  ];
}

function whoRunsOn({ containers, graph }: Needs, layer: LayerId): string | undefined {
  const user = containers.list().find(({ imageId, state }) => {
    // Between two lives it has nothing mounted, and will in a moment.
    if (!["running", "paused", "restarting"].includes(state.status)) return false;
    const image = graph.images.get(imageId as Digest);
    let at: LayerId | undefined;
    return (image?.config.rootfs.diff_ids ?? []).some((diffId) => {
      at = graph.layers.chain(at, diffId);
      return at === layer;
    });
  });
  return user && `Container ${user.name}`;
}
