import { containerStats, daemonEvents, listContainers, type StatsSample } from "#client";
import { Fault } from "#errors";
import { defineCli, FAILURE_EXIT } from "../command.ts";
import { FORMAT_FLAG, formatFor } from "../listing.ts";
import { type Columns, renderList } from "../output/list.ts";
import { binarySize, humanSize, shortId } from "../output/units.ts";
import type { Session } from "../session.ts";
import { figuresOf } from "../usage.ts";

const STANDARD =
  "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";
const REDRAW_MILLISECONDS = 500;
const NAME_WIDTH = 12;

interface Row {
  readonly asked: string;
  sample?: StatsSample;
}

/** `bunker stats`. */
export const stats = defineCli({
  synopsis: "[OPTIONS] [CONTAINER...]",
  about: "Display a live stream of container(s) resource usage statistics",
  example: "bunker stats --no-stream web",
  flags: {
    all: { kind: "bool", short: "a", about: "Show all containers (default shows just running)" },
    format: FORMAT_FLAG,
    "no-stream": { kind: "bool", about: "Disable streaming stats and only pull the first result" },
    "no-trunc": { kind: "bool", about: "Do not truncate output" },
  },
  words: { min: 0 },
  async run({ flags, words, session }) {
    const watches = words.length > 0 ? undefined : flags.bool("all") ? "all" : "running";
    const isOnce = flags.bool("no-stream");
    const names = isOnce && watches !== undefined ? await everyone(session, watches) : words;
    const rows: Row[] = names.map((asked) => ({ asked }));
    const columns = columnsOf(!flags.bool("no-trunc"));
    const format = formatFor(session, { asked: flags.text("format"), setting: "statsFormat" });
    const render = () => renderList(rows, { columns, standard: STANDARD, format });
    if (isOnce) return once(session, rows, render);
    return live(session, rows, { render, isTable: /^(table\b.*)?$/s.test(format), watches });
  },
});

async function everyone(session: Session, watches: Watched): Promise<string[]> {
  return (await listContainers(session.daemon, { all: watches === "all" })).map(({ Id }) => Id);
}

async function once(session: Session, rows: readonly Row[], render: () => string): Promise<number> {
  const problems: string[] = [];
  await Promise.all(
    rows.map(async (row) => {
      try {
        for await (const sample of containerStats(session.daemon, row.asked, { isStreaming: false }))
          row.sample = sample;
      } catch (thrown) {
        if (!(thrown instanceof Fault)) throw thrown;
        problems.push(thrown.message);
      }
    }),
  );
  if (problems.length < rows.length || rows.length === 0) session.console.out(render());
  for (const problem of problems) session.complain(problem);
  return problems.length > 0 ? FAILURE_EXIT : 0;
}

/** Follows every container and redraws twice a second, until all streams have ended; all containers have no end. */
async function live(
  session: Session,
  rows: Row[],
  { render, isTable, watches }: { render: () => string; isTable: boolean; watches: Watched | undefined },
): Promise<number> {
  let failure: unknown;
  const draw = () => session.console.out(isTable ? `\x1b[H${cleared(render())}\x1b[J` : render());
  const follow = async (row: Row) => {
    for await (const sample of containerStats(session.daemon, row.asked, { isStreaming: true }))
      row.sample = sample;
  };
  if (isTable) session.console.out("\x1b[2J");
  const ends = rows.map(follow);
  if (watches !== undefined) ends.push(watch(session, rows, { follow, watches }));
  const all = Promise.all(ends).catch((thrown: unknown) => {
    failure = thrown;
  });
  using _ = redraws(draw, (thrown) => {
    failure ??= thrown;
    session[Symbol.dispose]();
  });
  await all;
  if (failure !== undefined) throw failure;
  draw();
  return 0;
}

/** Whether containers that do not run are shown as well. */
type Watched = "running" | "all";

/** By which events a container joins the list, and leaves it. */
const COMINGS: Readonly<Record<Watched, readonly [comes: string, goes: string]>> = {
  running: ["start", "die"],
  all: ["create", "destroy"],
};

/** The list is what it was asked for while people look: containers come and go. Who comes while it is made is heard of. */
async function watch(
  session: Session,
  rows: Row[],
  { follow, watches }: { follow: (row: Row) => Promise<void>; watches: Watched },
): Promise<void> {
  const [comes, goes] = COMINGS[watches];
  const add = (id: string) => {
    if (rows.some(({ asked }) => asked === id)) return;
    const row = { asked: id };
    rows.push(row);
    follow(row).catch(() => undefined); // It may be gone again: its end is told by an event.
  };
  const events = daemonEvents(session.daemon, { filters: { type: ["container"], event: [comes, goes] } });
  const first = events.next();
  first.catch(() => undefined); // Looked at below; it may fail before that.
  for (const id of await everyone(session, watches)) add(id);
  for (let next = await first; !next.done; next = await events.next()) {
    const { Action, Actor } = next.value.event;
    if (Action === comes) add(Actor.ID);
    const at = rows.findIndex(({ asked }) => asked === Actor.ID);
    if (Action === goes && at >= 0) rows.splice(at, 1);
  }
}

function redraws(draw: () => void, onFailure: (thrown: unknown) => void): Disposable {
  const timer = setInterval(() => {
    try {
      draw();
    } catch (thrown) {
      clearInterval(timer);
      onFailure(thrown);
    }
  }, REDRAW_MILLISECONDS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Each line erased to its end, so that a shorter one leaves nothing of what stood there. */
const cleared = (text: string) => text.replaceAll("\n", "\x1b[K\n");

function columnsOf(isShort: boolean): Columns<Row> {
  const read = (show: (figures: ReturnType<typeof figuresOf>) => string, unknown = "--") => {
    return ({ sample }: Row) => (sample === undefined ? unknown : show(figuresOf(sample)));
  };
  const both = (left: number, right: number) => `${humanSize(left)} / ${humanSize(right)}`;
  return {
    Container: { heading: "CONTAINER", value: ({ asked }) => asked },
    ID: {
      heading: "CONTAINER ID",
      value: ({ asked, sample }) => (isShort ? shortId(sample?.id ?? asked) : (sample?.id ?? asked)),
    },
    Name: {
      heading: "NAME",
      value: ({ sample }) => sample?.name?.replace(/^\//, "") || "--".padEnd(NAME_WIDTH).trim(),
    },
    CPUPerc: { heading: "CPU %", value: read(({ cpuPercent }) => `${cpuPercent.toFixed(2)}%`) },
    MemUsage: {
      heading: "MEM USAGE / LIMIT",
      value: read(
        ({ memoryBytes, limitBytes }) => `${binarySize(memoryBytes)} / ${binarySize(limitBytes)}`,
        "-- / --",
      ),
    },
    MemPerc: { heading: "MEM %", value: read(({ memoryPercent }) => `${memoryPercent.toFixed(2)}%`) },
    NetIO: {
      heading: "NET I/O",
      value: read(({ receivedBytes, sentBytes }) => both(receivedBytes, sentBytes)),
    },
    BlockIO: {
      heading: "BLOCK I/O",
      value: read(({ readBytes, writtenBytes }) => both(readBytes, writtenBytes)),
    },
    PIDs: { heading: "PIDS", value: read(({ pids }) => String(pids)) },
  };
}
