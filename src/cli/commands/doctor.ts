import { askDoctor, type DoctorFinding, type DoctorReport } from "#client";
import { defineCli, FAILURE_EXIT } from "../command.ts";
import { FORMAT_FLAG } from "../listing.ts";
import { cleanText } from "../output/clean.ts";
import { type Columns, renderList } from "../output/list.ts";
import { humanSize } from "../output/units.ts";

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
    const report = await askDoctor(session.daemon, {
      isQuick: flags.bool("quick"),
      repairs: flags.bool("repair"),
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
