import { askDoctor, type DoctorFinding, type DoctorReport, listImages } from "#client";
import { parseNamed } from "#oci";
import { defineCli, FAILURE_EXIT } from "../command.ts";
import { FORMAT_FLAG } from "../listing.ts";
import { authFor, registryKey } from "../login/credentials.ts";
import { cleanText } from "../output/clean.ts";
import { type Columns, renderList } from "../output/list.ts";
import { humanSize } from "../output/units.ts";
import type { Session } from "../session.ts";

const STANDARD = "{{.Verdict}}\t{{.Subject}}\t{{.Finding}}\t{{.Remedy}}";

/** `bunker doctor`. */
export const doctor = defineCli({
  synopsis: "[OPTIONS]",
  about:
    "Check every blob, layer, image, record and name of the store; exits with 1 when something is broken and not mended",
  example: "bunker doctor --repair",
  flags: {
    format: FORMAT_FLAG,
    quick: { kind: "bool", about: "Only look whether everything is there, without reading it" },
    repair: {
      kind: "bool",
      about: "Mend what can be mended, pull again what registries have, take the rest out of the way",
    },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const repairs = flags.bool("repair");
    const report = await askDoctor(session.daemon, {
      isQuick: flags.bool("quick"),
      repairs,
      ...(repairs && { auths: await loginsForImages(session) }),
    });
    const format = flags.text("format");
    session.console.out(
      format === ""
        ? everything(report)
        : renderList(report.findings, { columns: COLUMNS, standard: STANDARD, format }),
    );
    return report.findings.some(({ verdict }) => verdict === "broken") ? FAILURE_EXIT : 0;
  },
});

/** Of the registries that the daemon's images came from, and of no other. */
async function loginsForImages(session: Session): Promise<ReadonlyMap<string, string>> {
  const images = await listImages(session.daemon, { all: true, digests: true });
  const names = images.flatMap(({ RepoDigests }) => RepoDigests ?? []);
  const auths = new Map<string, string>();
  for (const [domain, name] of new Map(names.map((one) => [domainOf(one), one]))) {
    const { auth } = await authFor(session, name);
    if (auth !== undefined) auths.set(registryKey(domain), auth);
  }
  return auths;
}

function domainOf(name: string): string {
  try {
    return parseNamed(name).domain;
  } catch {
    return ""; // An image that lost its repository: <none>@…
  }
}

const COLUMNS: Columns<DoctorFinding> = {
  Verdict: { heading: "VERDICT", value: ({ verdict }) => verdict },
  Subject: { heading: "SUBJECT", value: ({ subject }) => subject },
  Finding: { heading: "FINDING", value: ({ sentence }) => sentence },
  Remedy: { heading: "REMEDY", value: ({ remedy }) => remedy },
};

const VERDICT_WIDTH = 8;

function everything({ checked, findings }: DoctorReport): string {
  const { blobs, bytes, layers, images, containers, volumes } = checked;
  const counts = `${images} images, ${layers} layers, ${blobs} blobs of ${humanSize(bytes)}, ${containers} containers, ${volumes} volumes`;
  const broken = findings.filter(({ verdict }) => verdict === "broken").length;
  const verdict = broken === 0 ? "nothing is broken" : `${broken} broken`;
  return `${findings.map(paragraph).join("")}Checked ${counts}: ${verdict}\n`;
}

/** Sentences are longer than a terminal is wide: a line for the finding, one for what to do about it. */
function paragraph({ verdict, subject, sentence, remedy }: DoctorFinding): string {
  const lines = [`${verdict.padEnd(VERDICT_WIDTH)}${subject}: ${sentence}`];
  if (remedy !== "") lines.push(`${" ".repeat(VERDICT_WIDTH)}${remedy}`);
  return `${lines.map(cleanText).join("\n")}\n`;
}
