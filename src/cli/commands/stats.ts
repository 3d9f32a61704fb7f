import { containerStats, listContainers, type StatsSample } from "#client";
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
    const names = words.length > 0 ? words : await everyone(session, flags.bool("all"));
    const rows: Row[] = names.map((asked) => ({ asked }));
    const columns = columnsOf(!flags.bool("no-trunc"));
    const format = formatFor(session, { asked: flags.text("format"), setting: "statsFormat" });
    const render = () => renderList(rows, { columns, standard: STANDARD, format });
    if (flags.bool("no-stream")) return once(session, rows, render);
    return live(session, rows, { render, isTable: /^(table\b.*)?$/s.test(format) });
  },
});

async function everyone(session: Session, all: boolean): Promise<string[]> {
  return (await listContainers(session.daemon, { all })).map(({ Id }) => Id);
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

/** Follows every container and redraws twice a second, until all streams have ended. */
async function live(
  session: Session,
  rows: Row[],
  { render, isTable }: { render: () => string; isTable: boolean },
): Promise<number> {
  let failure: unknown;
  const draw = () => session.console.out(isTable ? `\x1b[H${cleared(render())}\x1b[J` : render());
  const follow = async (row: Row) => {
    for await (const sample of containerStats(session.daemon, row.asked, { isStreaming: true }))
      row.sample = sample;
  };
  if (isTable) session.console.out("\x1b[2J");
  const all = Promise.all(rows.map(follow)).catch((thrown: unknown) => {
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
