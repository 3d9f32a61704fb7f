import { describe, expect, test } from "bun:test";
import { wordsOf } from "../../../src/jobs/image/change-words.ts";
import { applyChanges, type Settings } from "../../../src/jobs/image/changes.ts";

const VARIABLES = new Map([
  ["A", "1"],
  ["EMPTY", ""],
]);

// Source: Dockerfile reference, "Environment replacement", "Escape".
test.each([
  ["a b", ["a", "b"]],
  ["  a \t b  ", ["a", "b"]],
  ['"a b" c', ["a b", "c"]],
  ["'a $A' \"$A\"", ["a $A", "1"]],
  ["a\\ b", ["a b"]],
  ["\\$A", ["$A"]],
  ['"a\\"b\\n"', ['a"b\\n']],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a Dockerfile's variables
  ["${A}x $B. ${B:-no} ${A:+yes} ${EMPTY:+yes}", ["1x", ".", "no", "yes", ""]],
  ["$", ["$"]],
  ['""', [""]],
  ["", []],
])("the words of %j are %j", (text, expected) => {
  expect(wordsOf(text, VARIABLES)).toEqual(expected);
});

describe("a change", () => {
  const BASE: Settings = {
    Cmd: ["old"],
    Entrypoint: ["/e"],
    Env: ["PATH=/bin"],
    WorkingDir: "/w",
    Labels: { a: "b" },
  };

  test.each<[string, Partial<Settings>]>([
    ["CMD echo hi", { Cmd: ["/bin/sh", "-c", "echo hi"] }],
    ['cmd ["echo", "hi"]', { Cmd: ["echo", "hi"] }],
    ["CMD", { Cmd: [] }],
    ["ENTRYPOINT /x", { Entrypoint: ["/bin/sh", "-c", "/x"], Cmd: null }],
    ['CMD ["a"]\nENTRYPOINT ["/x"]', { Entrypoint: ["/x"], Cmd: ["a"] }],
    ["ENV A=1 B=$PATH:/x", { Env: ["PATH=/bin", "A=1", "B=/bin:/x"] }],
    ["ENV PATH /usr/bin and more", { Env: ["PATH=/usr/bin and more"] }],
    [
      "EXPOSE 80 8000-8002/udp",
      { ExposedPorts: { "80/tcp": {}, "8000/udp": {}, "8001/udp": {}, "8002/udp": {} } },
    ],
    ["LABEL a=c", { Labels: { a: "c" } }],
    ['LABEL "x y"="1 2"', { Labels: { a: "b", "x y": "1 2" } }],
    ["WORKDIR sub/../dir", { WorkingDir: "/w/dir" }],
    ["WORKDIR /abs/", { WorkingDir: "/abs" }],
    ['VOLUME ["/a b", "/c"]', { Volumes: { "/a b": {}, "/c": {} } }],
    ["USER 10:20", { User: "10:20" }],
    ["STOPSIGNAL 9", { StopSignal: "9" }],
    ["HEALTHCHECK NONE", { Healthcheck: { Test: ["NONE"] } }],
    [
      'HEALTHCHECK --interval=1m30s --timeout=500ms CMD ["a"]',
      { Healthcheck: { Test: ["CMD", "a"], Interval: 90e9, Timeout: 5e8 } },
    ],
    ["ONBUILD RUN x", { OnBuild: ["RUN x"] }],
    ['SHELL ["/s", "-c"]\nCMD x', { Shell: ["/s", "-c"], Cmd: ["/s", "-c", "x"] }],
    ["# nothing\n\n", {}],
  ])("%j", (line, expected) => {
    expect(applyChanges(BASE, [line])).toEqual({ ...BASE, ...expected });
  });

  test.each([
    ["RUN x", "RUN is not a valid change command"],
    ["constructor x", "constructor is not a valid change command"],
    ["ENV A", "ENV must have two arguments"],
    ["ENV A=1 B", "can't find = in"],
    ["LABEL a='b", "looking for matching '"],
    ["EXPOSE 0", "Invalid containerPort: 0"],
    ["EXPOSE 70000", "Invalid containerPort: 70000"],
    ["EXPOSE 80/icmp", "Invalid containerPort: 80/icmp"],
    ["STOPSIGNAL NOPE", "Invalid signal: NOPE"],
    ["SHELL /bin/sh", "SHELL requires the arguments to be in JSON form"],
    ["ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"],
    ["ONBUILD ONBUILD RUN x", "Chaining ONBUILD"],
    ["HEALTHCHECK --interval=fast CMD x", "cannot be fast"],
    ["HEALTHCHECK --what=1 CMD x", "Unknown flag: what"],
    ["HEALTHCHECK RUN x", "Unknown type"],
    ["USER", "USER requires at least one argument"],
  ])("%j is refused: %s", (line, reason) => {
    expect(() => applyChanges(BASE, [line])).toThrow(reason);
  });
});
