import { z } from "zod";

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `85%`, or 85: a share of the file system, from 0 to 1. */
const Share = z.union([z.string(), z.number()]).transform((value, context) => {
  const percent = Number(/^(\d{1,3}(?:\.\d+)?)%?$/.exec(String(value))?.[1] ?? Number.NaN);
  if (percent > 0 && percent <= 100) return percent / 100;
  context.addIssue(`"${String(value).slice(0, 100)}" is no share of the disk; write 85%`);
  return z.NEVER;
});

/** `24h`, `7d`, `1h30m`, in seconds. */
const Seconds = z.string().transform((text, context) => {
  if (/^(?:\d+[smhd])+$/.test(text))
    return [...text.matchAll(/(\d+)([smhd])/g)].reduce(
      (sum, [, count, unit = ""]) => sum + Number(count) * (UNIT_SECONDS[unit] ?? 0),
      0,
    );
  context.addIssue(`"${text.slice(0, 100)}" is no duration; write 24h or 7d`);
  return z.NEVER;
});

/** When images that nobody needs are freed without being asked. */
export const GARBAGE = z
  .strictObject({
    high: Share.default(0.85),
    low: Share.default(0.7),
    keep: Seconds.default(86_400),
  })
  .refine(({ high, low }) => low < high, { error: "low must be below high", path: ["low"] });
