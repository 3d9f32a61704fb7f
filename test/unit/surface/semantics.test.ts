import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";

const PROJECT = resolve(import.meta.dir, "../../..");
/** The list of what users expect of an engine, where it lies beside the project. */
const FEATURES = resolve(PROJECT, "../shared/surface/FEATURES.md");
const HEADING = "## 18. Semantics that re-implementations get wrong";

interface Row {
  /** The number in the list, and the words that it begins with there. */
  readonly number: number;
  readonly begins: string;
  /** Files, and what the title of a test in them says. */
  readonly tests: Readonly<Record<string, readonly string[]>>;
}

const SESSION = "test/system/semantics.test.ts";

const ROWS: readonly Row[] = [
  {
    number: 1,
    begins: "Hijack.",
    tests: {
      [SESSION]: ["semantics 1, 2, 4, 5"],
      "test/api/streams.test.ts": [
        "attach at %s with tty %p is upgraded to %s",
        "attach without an upgrade is a plain 200, and the connection is taken over all the same",
      ],
    },
  },
  {
    number: 2,
    begins: "Half-close.",
    tests: {
      [SESSION]: ["semantics 1, 2, 4, 5"],
      "test/api/streams.test.ts": ["the end of the input reaches the program, and its output goes on"],
      "test/system/docker-client.test.ts": ["sends standard input to its end, and reads on after it"],
    },
  },
  {
    number: 3,
    begins: "Framing.",
    tests: {
      "test/api/streams.test.ts": ["attach with logs alone sends what was logged, framed, and ends"],
      "test/api/live.test.ts": ["followed, the head goes out without a line, lines at once"],
      "test/unit/server/stream.test.ts": ["what is there at once goes out at once"],
    },
  },
  {
    number: 4,
    begins: "Order of `docker run`",
    tests: {
      [SESSION]: ["semantics 1, 2, 4, 5"],
      "test/unit/jobs/container-start.test.ts": ["connects when the program cannot yet have written"],
      "test/api/live.test.ts": ["its head goes out when the wait is in place, its body when it is over"],
    },
  },
  {
    number: 5,
    begins: "Wait bodies",
    tests: {
      [SESSION]: ["semantics 1, 2, 4, 5", "semantics 5, 11, 28"],
      "test/unit/container/monitor.test.ts": [
        "for next-exit on a created container waits, and learns of a failed start",
        "for removed outlasts the exit",
      ],
    },
  },
  {
    number: 6,
    begins: "`--rm` is done by the daemon",
    tests: {
      [SESSION]: ["semantics 6:"],
      "test/unit/jobs/container-remove.test.ts": [
        "of itself at its end (--rm) does not disturb a removal by force",
        "by many at once succeeds for one (C7)",
      ],
    },
  },
  {
    number: 7,
    begins: "Version negotiation.",
    tests: {
      "test/api/negotiation.test.ts": ["says who answered: %s", "%s is refused in Docker's words"],
      "test/api/versions.test.ts": ["a field comes and goes with the version"],
      "test/system/api-replies.test.ts": ["every reply of API %s is in its schema"],
    },
  },
  {
    number: 8,
    begins: "Errors are",
    tests: {
      [SESSION]: ["semantics 8, 9, 24"],
      "test/api/faults.test.ts": ["a fault becomes a status"],
    },
  },
  {
    number: 9,
    begins: "304 without body",
    tests: {
      [SESSION]: ["semantics 8, 9, 24"],
      "test/api/endpoints.test.ts": ["%s changes nothing: 304 without a body"],
    },
  },
  {
    number: 10,
    begins: "Progress streams",
    tests: {
      "test/api/pull.test.ts": ["that fails later says so in its last line"],
      "test/api/live.test.ts": ["cancels its pull"],
      "test/system/jobs.test.ts": ["a pull ends with its client"],
    },
  },
  {
    number: 11,
    begins: "Exit codes",
    tests: {
      [SESSION]: ["semantics 5, 11, 28"],
      "test/system/bad-input.test.ts": ["programs that cannot be run", "programs that exec cannot run"],
    },
  },
  {
    number: 12,
    begins: "Lookup",
    tests: {
      "test/unit/container/store.test.ts": [
        "are found by id, by name with and without its slash, and by unique prefix",
        "prefer a name to the prefix of another one's id",
      ],
      "test/unit/graph/images.test.ts": [
        "a name that looks like a prefix of an id is a name first",
        "an ambiguous prefix is refused",
      ],
      [SESSION]: ["semantics 12:"],
    },
  },
  {
    number: 13,
    begins: "`filters`",
    tests: {
      [SESSION]: ["semantics 13:"],
      "test/unit/server/translate.test.ts": ['describe("filters"'],
      "test/unit/jobs/lists.test.ts": ["match labels all together, and their absence"],
    },
  },
  {
    number: 14,
    begins: "X-Registry-Auth",
    tests: { "test/unit/server/translate.test.ts": ["X-Registry-Auth", "%p is anonymous"] },
  },
  {
    number: 15,
    begins: "Archive",
    tests: {
      "test/unit/api/path-stat.test.ts": ["the header is base64 of JSON, whatever the name"],
      "test/system/archive.test.ts": ["replace nothing of another kind where that is not wanted"],
      "test/system/cp.test.ts": ["out of a container: %s onto everything"],
    },
  },
  {
    number: 16,
    begins: "Exit sequence",
    tests: {
      [SESSION]: [
        "semantics 16: events come in Docker's order",
        "semantics 16: whoever hears of the end sees it",
      ],
      "test/unit/container/monitor.test.ts": [
        "comes in order: given back, committed, waiters, die, cleared, removed",
      ],
      "test/unit/engine/events.test.ts": ["ends at once when its end is past"],
    },
  },
  {
    number: 17,
    begins: "JSON shapes",
    tests: {
      "test/unit/server/translate.test.ts": [
        "names with a slash, lists as lists, absent ones as Docker has them",
        "of a container that never ran has its network without an address, no ports, and zero times",
      ],
      "test/unit/api/api.test.ts": [
        "takes one word where a list of words belongs",
        "takes numbers as far as int64 goes",
      ],
      "test/unit/api/specification.test.ts": ["replies and Docker's description of them"],
    },
  },
  { number: 18, begins: "Port bindings", tests: { [SESSION]: ["semantics 18:"] } },
  { number: 19, begins: "Logs right after exit", tests: { [SESSION]: ["semantics 19:"] } },
  { number: 20, begins: "`/session` and `/grpc`", tests: { "test/api/surface.test.ts": ["semantics 20:"] } },
  {
    number: 21,
    begins: "Chunked, HEAD and keep-alive",
    tests: {
      [SESSION]: ["semantics 21: whoever asks", "semantics 21: logs that are empty"],
      "test/api/negotiation.test.ts": ["_ping"],
      "test/api/live.test.ts": ["serves several requests, also sent at once"],
    },
  },
  { number: 22, begins: "stats", tests: { [SESSION]: ["semantics 22:"] } },
  { number: 23, begins: "Resize before start", tests: { [SESSION]: ["semantics 23:"] } },
  { number: 24, begins: "Create returns 201", tests: { [SESSION]: ["semantics 8, 9, 24"] } },
  { number: 25, begins: "Ryuk", tests: { [SESSION]: ["semantics 25:"] } },
  {
    number: 26,
    begins: "Stop",
    tests: {
      [SESSION]: ["semantics 26:"],
      "test/unit/jobs/container-stop.test.ts": ["thaws what is paused", "kills at once with a time of 0"],
      "test/system/supervision.test.ts": ["F5: has its own stop signal and its own time"],
    },
  },
  {
    number: 27,
    begins: "Unversioned path",
    tests: {
      "test/api/surface.test.ts": ["%s is tolerated"],
      "test/api/negotiation.test.ts": ["%s is served"],
    },
  },
  {
    number: 28,
    begins: "A failed port",
    tests: { [SESSION]: ["semantics 28: a port that cannot be had", "semantics 5, 11, 28"] },
  },
  {
    number: 29,
    begins: "Cancelling the HTTP request",
    tests: {
      [SESSION]: ["semantics 29:"],
      "test/api/live.test.ts": [
        "cancels its pull",
        "does not cancel its stop",
        "a client that leaves is forgotten",
      ],
    },
  },
  {
    number: 30,
    begins: "kill or stop with the container's stop signal",
    tests: {
      [SESSION]: ["semantics 30:"],
      "test/unit/jobs/container-stop.test.ts": [
        "with another signal than the stop signal is no stop by a person",
      ],
    },
  },
];

test.each(ROWS.map((row) => [row.number, row.begins, row] as const))(
  "semantics %i (%s) is tested",
  (_number, _begins, { tests }) => {
    expect(Object.keys(tests).length).toBeGreaterThan(0);
    for (const [file, titles] of Object.entries(tests)) {
      const text = readFileSync(resolve(PROJECT, file), "utf8");
      for (const title of titles) expect(text).toContain(title);
    }
  },
);

test("there are thirty", () => {
  expect(ROWS.map(({ number }) => number)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
});

const isThere = existsSync(FEATURES);
test.skipIf(!isThere)(
  `each is that of the list${isThere ? "" : " (skipped: the list is not beside the project)"}`,
  () => {
    const [, section = ""] = readFileSync(FEATURES, "utf8").split(HEADING);
    for (const { number, begins } of ROWS) expect(section).toContain(`\n${number}. ${begins}`);
  },
);
