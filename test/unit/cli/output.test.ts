import { describe, expect, test } from "bun:test";
import { cleanCell, cleanText } from "../../../src/cli/output/clean.ts";
import { type Columns, renderList } from "../../../src/cli/output/list.ts";
import { Progress } from "../../../src/cli/output/progress.ts";
import { alignTabs, table } from "../../../src/cli/output/table.ts";
import { localStamp, timestampOf } from "../../../src/cli/output/time.ts";
import { binarySize, ellipsis, humanDuration, humanSize, shortId } from "../../../src/cli/output/units.ts";
import { figuresOf } from "../../../src/cli/usage.ts";

describe("sizes and times", () => {
  test.each([
    [0, "0B"],
    [999, "999B"],
    [1000, "1kB"],
    [1234567, "1.23MB"],
    [1982464, "1.98MB"],
    [999999, "1MB"],
    [5e9, "5GB"],
  ])("%p bytes are %s", (bytes, text) => {
    expect(humanSize(bytes)).toBe(text);
  });

  test.each([
    [0, "0B"],
    [1024, "1KiB"],
    [12.5 * 2 ** 20, "12.5MiB"],
    [25278349312, "23.54GiB"],
  ])("%p bytes in binary units are %s", (bytes, text) => {
    expect(binarySize(bytes)).toBe(text);
  });

  test.each([
    [0.5, "Less than a second"],
    [1, "1 second"],
    [59, "59 seconds"],
    [60, "About a minute"],
    [119, "About a minute"],
    [120, "2 minutes"],
    [3599, "59 minutes"],
    [3600, "About an hour"],
    [7200, "2 hours"],
    [47 * 3600, "47 hours"],
    [48 * 3600, "2 days"],
    [14 * 86400, "2 weeks"],
    [60 * 86400, "2 months"],
    [730 * 86400, "2 years"],
  ])("%p seconds are %s", (seconds, text) => {
    expect(humanDuration(seconds)).toBe(text);
  });

  const NOW = Date.parse("2026-05-30T12:00:00Z");
  test.each([
    ["1780142400", "1780142400"],
    ["1780142400.5", "1780142400.5"],
    ["10m", "1780141800.000000000"],
    ["0s", "1780142400.000000000"],
    ["2026-05-30T12:00:00.123456789Z", "1780142400.123456789"],
    ["2026-05-30T14:00:00+02:00", "1780142400.000000000"],
  ])("%p as a time is %s", (text, stamp) => {
    expect(timestampOf(text, { now: NOW, flag: "since" })).toBe(stamp);
  });

  test("a time without a zone is local", () => {
    const local = new Date(2026, 4, 30, 12).getTime() / 1000;
    expect(timestampOf("2026-05-30T12:00:00", { now: NOW, flag: "since" })).toBe(`${local}.000000000`);
    expect(localStamp(local, "000000001")).toStartWith("2026-05-30T12:00:00.000000001");
  });

  test("what is no time is refused by the flag's name", () => {
    expect(() => timestampOf("foo", { now: NOW, flag: "until" })).toThrow(
      'invalid value for "until": failed to parse value as time or duration: "foo"',
    );
  });

  test("long texts end in an ellipsis, counted in characters", () => {
    expect([ellipsis("abcdef", 4), ellipsis("abcd", 4), ellipsis("äöüß€", 3)]).toEqual([
      "abc…",
      "abcd",
      "äö…",
    ]);
    expect(shortId(`sha256:${"a".repeat(64)}`)).toBe("a".repeat(12));
  });
});

describe("a table", () => {
  test("has columns three spaces apart, at least ten wide, the last one unpadded", () => {
    const text = table([
      ["ID", "NAME", "LAST"],
      ["0123456789ab", "a", "x"],
    ]);
    expect(text).toBe("ID             NAME      LAST\n0123456789ab   a         x\n");
  });

  test("aligns only neighbouring lines that have the column", () => {
    expect(alignTabs("aaaaaaaaaaaaaa\tb\nplain\nc\td")).toBe("aaaaaaaaaaaaaa   b\nplain\nc         d");
  });
});

interface Row {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

const COLUMNS: Columns<Row> = {
  Name: { heading: "NAMES", value: ({ name }) => name },
  Label: {
    heading: "",
    value:
      ({ labels }) =>
      (key) =>
        labels[String(key)] ?? "",
  },
  Costly: {
    heading: "COSTLY",
    value: () => {
      throw new Error("asked for");
    },
  },
};
const ROWS: Row[] = [
  { name: "web", labels: { "com.x.build-date": "today" } },
  { name: "\x1b[31mred\x9b\n", labels: {} },
];

describe("a list", () => {
  const list = (format: string, rows = ROWS) =>
    renderList(rows, { columns: COLUMNS, standard: "{{.Name}}", format });

  test.each(["{{json .}}", "{{json $}}", "{{with .}}{{json .}}{{end}}", "{{ json . }}"])(
    "%s names the row itself and gets every column",
    (format) => {
      expect(() => list(format)).toThrow("asked for");
    },
  );

  test("never lets control characters through", () => {
    expect(list("")).toBe("NAMES\nweb\n\\x1b[31mred\\x9b\\x0a\n");
    expect(list("{{.Name}}")).toBe("web\n\\x1b[31mred\\x9b\\x0a\n");
  });

  test("with a template has no heading, with table it has one", () => {
    expect(list("{{.Name}}!", ROWS.slice(0, 1))).toBe("web!\n");
    expect(list('table {{.Name}}\\t{{.Label "com.x.build-date"}}', ROWS.slice(0, 1))).toBe(
      "NAMES     build date\nweb       today\n",
    );
    expect(list("table {{upper .Name}}", ROWS.slice(0, 1))).toBe("NAMES\nWEB\n");
  });

  test("of nothing is a heading, or nothing", () => {
    expect(list("", [])).toBe("NAMES\n");
    expect(list("{{.Name}}", [])).toBe("");
  });

  test("does not compute columns that nobody asks for", () => {
    expect(() => list("{{.Costly}}")).toThrow("asked for");
    expect(() => list("{{.Name}}")).not.toThrow();
  });

  test.each([
    ["{{foo}}", 'failed to parse template: template: :1: function "foo" not defined'],
    ["{{.Foo}}", "failed to execute template: "],
  ])("with %p fails: %s", (format, message) => {
    expect(() => list(format)).toThrow(message);
  });
});

test("control characters are spelt out; a text of lines keeps its line ends", () => {
  expect([cleanCell("a\x1b\n\t\x7fä"), cleanText("a\x1b\n\tb\r")]).toEqual([
    "a\\x1b\\x0a\\x09\\x7fä",
    "a\\x1b\n\tb\\x0d",
  ]);
});

describe("progress", () => {
  function shown(
    lines: readonly Parameters<Progress["show"]>[0][],
    options: { isTerminal: boolean; width?: number },
  ): string {
    let text = "";
    const progress = new Progress({
      width: 120,
      ...options,
      sink: (part) => {
        text += part;
      },
    });
    for (const line of lines) progress.show(line);
    return text;
  }
  const moving = (id: string, current: number) => ({
    id,
    status: "Downloading",
    progressDetail: { current, total: 100e6 },
  });

  test("without a terminal is one line for each step, without figures or escapes", () => {
    const text = shown(
      [
        { status: "Pulling from library/x", id: "latest" },
        { status: "Pulling fs layer", id: "a", progressDetail: {} },
        moving("a", 1e6),
        moving("a", 2e6),
        { status: "Pull complete", id: "a", progressDetail: {} },
        { status: "Pull complete", id: "a", progressDetail: {} },
        { status: "Digest: sha256:0" },
      ],
      { isTerminal: false },
    );
    expect(text).toBe(
      "latest: Pulling from library/x\na: Pulling fs layer\na: Pull complete\nDigest: sha256:0\n",
    );
  });

  test("on a terminal goes up to a layer's line and comes back", () => {
    const text = shown([{ id: "a", status: "Waiting" }, { id: "b", status: "Waiting" }, moving("a", 50e6)], {
      isTerminal: true,
    });
    const bar = `[${"=".repeat(25)}>${" ".repeat(24)}]`;
    expect(text).toBe(`a: Waiting\nb: Waiting\n\x1b[2A\r\x1b[2Ka: Downloading ${bar}  50MB/100MB\x1b[2B\r`);
  });

  test("on a narrow terminal shows figures alone, and never wraps", () => {
    const text = shown([moving("a", 50e6)], { isTerminal: true, width: 24 });
    expect(text).toBe("a: Downloading 50MB/10…\n");
  });

  test("does not let a registry drive the terminal", () => {
    const text = shown([{ id: "\x1b[2J", status: "\x1b]0;x\x07" }], { isTerminal: true });
    expect(text).toBe("\\x1b[2J: \\x1b]0;x\\x07\n");
  });
});

describe("figures of a sample", () => {
  test("are those that docker shows", () => {
    const figures = figuresOf({
      cpu_stats: { cpu_usage: { total_usage: 300 }, system_cpu_usage: 2000, online_cpus: 4 },
      precpu_stats: { cpu_usage: { total_usage: 100 }, system_cpu_usage: 1000 },
      memory_stats: { usage: 1000, limit: 4000, stats: { inactive_file: 200 } },
      networks: { eth0: { rx_bytes: 1, tx_bytes: 2 }, eth1: { rx_bytes: 3 } },
      blkio_stats: {
        io_service_bytes_recursive: [
          { op: "Read", value: 5 },
          { op: "write", value: 6 },
          { op: "Total", value: 11 },
        ],
      },
      pids_stats: { current: 7 },
    });
    expect(figures).toEqual({
      cpuPercent: 80,
      memoryBytes: 800,
      limitBytes: 4000,
      memoryPercent: 20,
      receivedBytes: 4,
      sentBytes: 2,
      readBytes: 5,
      writtenBytes: 6,
      pids: 7,
    });
  });

  test("of a stopped container are zero", () => {
    expect(figuresOf({})).toMatchObject({ cpuPercent: 0, memoryPercent: 0, pids: 0 });
  });
});
