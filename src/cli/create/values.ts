import { didYouMean } from "#errors";

/** Readers of single values. Each check returns what is wrong, worded as docker's client words it, or undefined. */

const SIZE = /^(\d+(?:\.\d+)?(?:e\d{1,2})?) ?([kmgtp]?)i?b?$/i;
const FACTORS: Readonly<Record<string, number>> = {
  "": 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
};

/** Bytes of `512m`, `1.5g`, `100kb`; undefined when it is no size. Units are powers of 1024. */
export function sizeOf(text: string): number | undefined {
  const [, digits, unit = ""] = SIZE.exec(text) ?? [];
  return digits === undefined ? undefined : Math.trunc(Number(digits) * (FACTORS[unit.toLowerCase()] ?? 1));
}

export const checkSize = (text: string) =>
  sizeOf(text) === undefined ? `invalid size: '${text}'` : undefined;
/** -1 stands for "no limit". */
export const checkSwap = (text: string) => (text === "-1" ? undefined : checkSize(text));
export const swapOf = (text: string) => (text === "-1" ? -1 : sizeOf(text));

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Nanoseconds of `1m30s`, `1.5h`, `-2s`, or what is wrong with it. Source: Go, time.ParseDuration. */
export function durationOf(text: string): number | { readonly problem: string } {
  const [, sign = "", body = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (body === "0") return 0;
  if (body === "") return { problem: `time: invalid duration ${JSON.stringify(text)}` };
  let rest = body;
  let total = 0;
  while (rest !== "") {
    const [whole = "", digits = "", unit = ""] = /^(\d+(?:\.\d*)?|\.\d+)([^\d.]*)/.exec(rest) ?? [];
    if (whole === "") return { problem: `time: invalid duration ${JSON.stringify(text)}` };
    if (unit === "") return { problem: `time: missing unit in duration ${JSON.stringify(text)}` };
    const factor = NANOSECONDS[unit];
    if (factor === undefined)
      return { problem: `time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}` };
    total += Number(digits) * factor;
    rest = rest.slice(whole.length);
  }
  return Math.round(sign === "-" ? -total : total);
}

export function checkDuration(text: string): string | undefined {
  const duration = durationOf(text);
  return typeof duration === "number" ? undefined : duration.problem;
}

export const nanosecondsOf = (text: string) => {
  const duration = durationOf(text);
  return typeof duration === "number" ? duration : 0;
};

/** Billionths of a CPU: `1.5`, also as a fraction `3/2`. */
export function nanoCpusOf(text: string): number | undefined {
  const [, above, below = "1"] = /^(\d+(?:\.\d*)?|\.\d+)(?:\/(\d+))?$/.exec(text) ?? [];
  const nano =
    above === undefined || Number(below) === 0 ? Number.NaN : (Number(above) / Number(below)) * 1e9;
  return Number.isFinite(nano) ? Math.round(nano * 1e3) / 1e3 : undefined;
}

export function checkCpus(text: string): string | undefined {
  const nano = nanoCpusOf(text);
  if (nano === undefined) return `failed to parse ${text} as a rational number`;
  return Number.isInteger(nano) ? undefined : "value is too precise";
}

const LIMITS = new Set(
  "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(
    " ",
  ),
);

/** `nofile=1024:2048`. -1 is no limit. */
export function ulimitOf(
  text: string,
): { Name: string; Soft: number; Hard: number } | { readonly problem: string } {
  const [, name, soft, hard = soft] = /^([^=]*)=([^:]*)(?::(.*))?$/.exec(text) ?? [];
  if (name === undefined || soft === undefined || hard === undefined)
    return { problem: `invalid ulimit argument: ${text}` };
  if (!LIMITS.has(name)) return { problem: `invalid ulimit type: ${name}${didYouMean(name, LIMITS)}` };
  for (const value of [soft, hard])
    if (!/^-?\d+$/.test(value))
      return { problem: `strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax` };
  const [low, high] = [Number(soft), Number(hard)];
  const isAbove = high !== -1 && (low === -1 || low > high);
  if (isAbove && text.includes(":"))
    return { problem: `ulimit soft limit must be less than or equal to hard limit: ${low} > ${high}` };
  return { Name: name, Soft: low, Hard: high };
}

export function checkUlimit(text: string): string | undefined {
  const ulimit = ulimitOf(text);
  return "problem" in ulimit ? ulimit.problem : undefined;
}

/** `key=value` texts as a map; a key alone has the empty value. */
export function mapOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf("=");
      return equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

/** The fields of one line of comma-separated values; a field in double quotes may hold commas. Source: RFC 4180. */
export function csvFields(text: string): string[] {
  const fields: string[] = [];
  const pattern = /"((?:[^"]|"")*)"(?:,|$)|([^,]*)(?:,|$)/y;
  for (let at = 0; at <= text.length; at = pattern.lastIndex) {
    pattern.lastIndex = at;
    const [whole = "", quoted, plain = ""] = pattern.exec(text) ?? [];
    fields.push(quoted?.replaceAll('""', '"') ?? plain);
    if (!whole.endsWith(",")) break;
  }
  return fields;
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;

/** Whether the text is an IPv4 or IPv6 address. */
export function isAddress(text: string): boolean {
  if (IPV4.test(text)) return true;
  if (!text.includes(":") || !/^[0-9a-f:.]+$/i.test(text)) return false;
  return URL.canParse(`http://[${text}]/`);
}
