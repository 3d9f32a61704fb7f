import { pullImage } from "#client";
import { Fault } from "#errors";
import { authFor } from "./login/credentials.ts";
import { cleanCell } from "./output/clean.ts";
import { Progress } from "./output/progress.ts";
import type { Session } from "./session.ts";

/** Columns of a terminal that does not say; narrower than the narrowest is taken for not saying. */
const USUAL_WIDTH = 80;
const NARROWEST = 20;

/**
 * Pulls an image and shows how it goes: bars on a terminal, lines elsewhere, nothing without a sink.
 * @throws Fault with the daemon's sentence when the pull fails half-way
 */
export async function pullTo(
  session: Session,
  {
    name,
    isWhole = false,
    platform,
    sink,
    descriptor,
  }: {
    name: string;
    /** Every tag of the repository. */
    isWhole?: boolean;
    platform?: string;
    sink: ((text: string) => void) | undefined;
    /** Where the sink leads: bars are for terminals. */
    descriptor: 1 | 2;
  },
): Promise<void> {
  const { repository, tag } = splitName(name);
  const progress = showProgress(session, { sink, descriptor });
  for await (const line of pullImage(session.daemon, {
    name: repository,
    ...(isWhole ? {} : { tag }),
    ...(platform ? { platform } : {}),
    ...(await authFor(session, repository)),
  })) {
    const failure = line.errorDetail?.message ?? line.error;
    if (failure !== undefined) throw new Fault("internal", cleanCell(failure));
    progress.show(line);
  }
}

/** Bars on a terminal, lines elsewhere, nothing without a sink. */
export function showProgress(
  session: Session,
  { sink, descriptor }: { sink: ((text: string) => void) | undefined; descriptor: 1 | 2 },
): Progress {
  const isTerminal = session.console.isTerminal(descriptor) && session.env.TERM !== "dumb";
  return new Progress({
    sink: sink ?? (() => undefined),
    isTerminal,
    width: widthOf(session, isTerminal),
  });
}

function widthOf(session: Session, isTerminal: boolean): number {
  const known = [
    Number(session.env.COLUMNS),
    isTerminal ? (process.stderr.columns ?? process.stdout.columns ?? 0) : 0,
  ];
  return known.find((columns) => columns >= NARROWEST) ?? USUAL_WIDTH;
}

/** The repository, and the tag or digest to ask for: `latest` unless one is named. */
export function splitName(name: string): { repository: string; tag: string } {
  const at = name.indexOf("@");
  if (at >= 0) return { repository: name.slice(0, at).replace(/:[^:/]*$/, ""), tag: name.slice(at + 1) };
  const colon = name.lastIndexOf(":");
  if (colon <= name.lastIndexOf("/")) return { repository: name, tag: "latest" };
  return { repository: name.slice(0, colon), tag: name.slice(colon + 1) };
}
