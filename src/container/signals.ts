import { didYouMean, Fault } from "#errors";

/** Source: signal(7), the numbers of x86 and ARM. */
const NUMBERS: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  IOT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  POLL: 29,
  PWR: 30,
  SYS: 31,
};
const REALTIME = { first: 34, last: 64 };

const NAMES = Object.keys(NUMBERS).flatMap((name) => [name, `SIG${name}`]);

export const SIGKILL = 9;

/** `SIGTERM`, `term`, `15`, `RTMIN+3`. Throws `invalid` with Docker's words. */
export function parseSignal(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : named(text.toUpperCase().replace(/^SIG/, ""));
  if (number === undefined || number < 1 || number > REALTIME.last)
    throw new Fault("invalid", `Invalid signal: ${text.slice(0, 100)}${didYouMean(text, NAMES)}`);
  return number;
}

function named(name: string): number | undefined {
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realtime === null) return Object.hasOwn(NUMBERS, name) ? NUMBERS[name] : undefined;
  const [, end, sign = "+", offset = "0"] = realtime;
  const number = (end === "MIN" ? REALTIME.first : REALTIME.last) + Number(`${sign}${offset}`);
  return number < REALTIME.first ? undefined : number;
}
