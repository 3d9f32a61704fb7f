import { diagnoseNetworks, type NetworkFinding } from "#client";
import { defineCli, FAILURE_EXIT } from "../../command.ts";
import { FORMAT_FLAG } from "../../listing.ts";
import { cleanText } from "../../output/clean.ts";
import { type Columns, renderList } from "../../output/list.ts";

const STANDARD = "{{.Verdict}}\t{{.Subject}}\t{{.Finding}}\t{{.Remedy}}";

/** `bunker network doctor`. */
export const networkDoctor = defineCli({
  synopsis: "[OPTIONS]",
  about:
    "Say what this host's network lacks, what that costs, and what to do; exits with 1 when something is broken",
  example: "bunker network doctor",
  flags: { format: FORMAT_FLAG },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const findings = await diagnoseNetworks(session.daemon);
    const format = flags.text("format");
    session.console.out(
      format === ""
        ? findings.map(paragraph).join("")
        : renderList(findings, { columns: COLUMNS, standard: STANDARD, format }),
    );
    return findings.some(({ verdict }) => verdict === "broken") ? FAILURE_EXIT : 0;
  },
});

const COLUMNS: Columns<NetworkFinding> = {
  Verdict: { heading: "VERDICT", value: ({ verdict }) => verdict },
  Subject: { heading: "SUBJECT", value: ({ subject }) => subject },
  Finding: { heading: "FINDING", value: ({ sentence }) => sentence },
  Remedy: { heading: "REMEDY", value: ({ remedy }) => remedy },
};

const VERDICT_WIDTH = 10;

/** Sentences are longer than a terminal is wide: a line for the finding, one for what to do about it. */
function paragraph({ verdict, subject, sentence, remedy }: NetworkFinding): string {
  const lines = [`${verdict.padEnd(VERDICT_WIDTH)}${subject}: ${sentence}`];
  if (remedy !== "") lines.push(`${" ".repeat(VERDICT_WIDTH)}${remedy}`);
  return `${lines.map(cleanText).join("\n")}\n`;
}
