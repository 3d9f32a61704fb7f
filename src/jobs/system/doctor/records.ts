import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { RecordProblem } from "#graphdb";
import { writeWhole } from "#host";
import type { Rooms } from "../../rooms.ts";
import type { DoctorFinding } from "../types.ts";

type Needs = Pick<Rooms, "database" | "settings">;

/** Told by those who own them, who know more about it. */
const TOLD_ELSEWHERE: readonly string[] = ["container", "image"];

/** Rows and edges of the GraphDB that cannot be right. */
export function troubledRecords(needs: Needs): readonly DoctorFinding[] {
  return problems(needs).map((problem) => ({
    subject: subjectOf(problem),
    verdict: "broken",
    sentence: sentenceOf(problem),
    remedy:
      problem.kind === "edge" || problem.kind === "record"
        ? "bunker doctor --repair takes it out"
        : "put back a copy of bunker.db that was made before, or move it away",
  }));
}

/** Takes out edges that lead nowhere, and keeps the text of rows that cannot be read in files. */
export async function mendRecords(needs: Needs): Promise<readonly DoctorFinding[]> {
  const findings: DoctorFinding[] = [];
  for (const problem of problems(needs)) {
    const remedy = await mend(needs, problem);
    if (remedy === undefined) continue;
    findings.push({ subject: subjectOf(problem), verdict: "mended", sentence: sentenceOf(problem), remedy });
  }
  return findings;
}

async function mend({ database, settings }: Needs, problem: RecordProblem): Promise<string | undefined> {
  if (problem.kind === "edge") {
    database.edges.unlink(problem.edgeKind, problem.edge.parent, problem.edge.name);
    return "It was taken out";
  }
  if (problem.kind !== "record") return undefined;
  const folder = join(settings.dataRoot, "quarantine");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `${problem.table}-${encodeURIComponent(problem.id)}.json`);
  await writeWhole(path, database.takeOut(problem.table, problem.id));
  return `It was taken out, and lies in ${path}`;
}

function problems({ database }: Needs): readonly RecordProblem[] {
  return database
    .examine()
    .filter((problem) => problem.kind !== "record" || !TOLD_ELSEWHERE.includes(problem.table));
}

function subjectOf(problem: RecordProblem): string {
  if (problem.kind === "edge") return `${problem.edgeKind} ${problem.edge.name || problem.edge.parent}`;
  return problem.kind === "record" ? `${problem.table} ${problem.id}` : "bunker.db";
}

function sentenceOf(problem: RecordProblem): string {
  if (problem.kind === "edge") return `it leads to ${problem.lacks}, which is not there`;
  return problem.kind === "record" ? "its record cannot be read" : problem.sentence;
}
