import { describe, expect, test } from "bun:test";
import { advance, parseSignal, type Status, type Step, shouldStartWithDaemon } from "#container";
import { nextDelay, shouldRestart } from "../../../src/container/restart-policy.ts";

const ALLOWED: readonly (readonly [Status, Step, Status])[] = [
  ["created", "start", "running"],
  ["created", "remove", "removing"],
  ["running", "pause", "paused"],
  ["running", "exit", "exited"],
  ["running", "await-restart", "restarting"],
  ["paused", "resume", "running"],
  ["paused", "exit", "exited"],
  ["paused", "await-restart", "restarting"],
  ["restarting", "start", "running"],
  ["restarting", "exit", "exited"],
  ["restarting", "remove", "removing"],
  ["exited", "start", "running"],
  ["exited", "await-restart", "restarting"],
  ["exited", "remove", "removing"],
  ["removing", "fail-removal", "dead"],
  ["dead", "remove", "removing"],
];
const STATUSES: readonly Status[] = [
  "created",
  "running",
  "paused",
  "restarting",
  "exited",
  "removing",
  "dead",
];
const STEPS: readonly Step[] = [
  "start",
  "pause",
  "resume",
  "exit",
  "await-restart",
  "remove",
  "fail-removal",
];

describe("a status", () => {
  for (const from of STATUSES)
    for (const step of STEPS) {
      const to = ALLOWED.find(([one, by]) => one === from && by === step)?.[2];
      test(`${from} ${to === undefined ? "refuses" : `becomes ${to} by`} ${step}`, () => {
        if (to === undefined) expect(() => advance(from, step)).toThrow(/^Cannot .* that is /);
        else expect(advance(from, step)).toBe(to);
      });
    }
});

describe("a restart policy", () => {
  const life = { exitCode: 1, duration: 0, restartCount: 0, isManuallyStopped: false };
  const cases = [
    ["no", 0, life, false],
    ["always", 0, life, true],
    ["always", 0, { ...life, exitCode: 0 }, true],
    ["always", 0, { ...life, isManuallyStopped: true }, false],
    ["unless-stopped", 0, { ...life, exitCode: 0 }, true],
    ["unless-stopped", 0, { ...life, isManuallyStopped: true }, false],
    ["on-failure", 0, life, true],
    ["on-failure", 0, { ...life, exitCode: 0 }, false],
    ["on-failure", 3, { ...life, restartCount: 2 }, true],
    ["on-failure", 3, { ...life, restartCount: 3 }, false],
  ] as const;
  for (const [name, maximumRetryCount, given, expected] of cases)
    test(`${name}:${maximumRetryCount} after ${JSON.stringify(given)} restarts: ${expected}`, () => {
      expect(shouldRestart({ name, maximumRetryCount }, given)).toBe(expected);
    });

  test("waits 100 ms, twice as long each time, a minute at most, and anew after ten seconds of life", () => {
    const delays: number[] = [];
    let delay = 0;
    for (let count = 0; count < 12; count++) {
      delay = nextDelay(delay, 0);
      delays.push(delay);
    }
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]);
    expect(nextDelay(60_000, 9_999)).toBe(60_000);
    expect(nextDelay(60_000, 10_000)).toBe(100);
  });

  test("at the start of the daemon: always starts what a person stopped, unless-stopped does not", () => {
    const stopped = { exitCode: 0, restartCount: 0, isManuallyStopped: true };
    const start = (name: "no" | "always" | "on-failure" | "unless-stopped", given = stopped) =>
      shouldStartWithDaemon({ name, maximumRetryCount: 0 }, given);
    expect(start("always")).toBe(true);
    expect(start("unless-stopped")).toBe(false);
    expect(start("no")).toBe(false);
    expect(start("on-failure", { ...stopped, exitCode: 255, isManuallyStopped: false })).toBe(true);
  });
});

describe("a signal", () => {
  const cases = [
    ["SIGTERM", 15],
    ["term", 15],
    ["9", 9],
    ["SIGRTMIN", 34],
    ["RTMIN+3", 37],
    ["SIGRTMAX-1", 63],
    ["64", 64],
  ] as const;
  for (const [text, number] of cases)
    test(`${text} is ${number}`, () => {
      expect(parseSignal(text)).toBe(number);
    });
  for (const text of ["", "0", "65", "SIGFOO", "RTMIN+31", "-1", "constructor", "9.5"])
    test(`"${text}" is none`, () => {
      expect(() => parseSignal(text)).toThrow(`Invalid signal: ${text}`);
    });
});
