import { Fault } from "#errors";
import { durationOf } from "../create/values.ts";

const LOCAL_FORMS = /^\d{4}-\d{2}-\d{2}(T\d{2}(:\d{2}(:\d{2}(\.\d{1,9})?)?)?)?$/;
const FULL_FORM = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;

/**
 * A point in time as the API takes it, seconds since 1970 with up to nine decimals. Reads a duration (so long before `now`),
 * RFC 3339 (without a zone: local time; parts may be missing from the right), or such seconds themselves.
 * @throws Fault `invalid`
 */
export function timestampOf(text: string, { now, flag }: { now: number; flag: string }): string {
  if (/^-?\d+(\.\d{1,9})?$/.test(text)) return text;
  const duration = durationOf(text);
  if (typeof duration === "number") return seconds(now - duration / 1e6);
  const [, stem, fraction = "", zone] = FULL_FORM.exec(text) ?? [];
  if (stem !== undefined) {
    const whole = Date.parse(`${stem}${zone}`);
    if (!Number.isNaN(whole)) return `${whole / 1000}.${fraction.padEnd(9, "0")}`;
  }
  if (LOCAL_FORMS.test(text)) return seconds(localTime(text));
  throw new Fault(
    "invalid",
    `invalid value for ${JSON.stringify(flag)}: failed to parse value as time or duration: ${JSON.stringify(text)}`,
  );
}

const seconds = (milliseconds: number) =>
  `${Math.floor(milliseconds / 1000)}.${String(Math.floor(((milliseconds % 1000) + 1000) % 1000)).padStart(3, "0")}000000`;

function localTime(text: string): number {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = text.split(/[-T:.]/).map(Number);
  return new Date(year, month - 1, day, hour, minute, second).getTime();
}

/** Local time in RFC 3339 with the nine decimals given. */
export function localStamp(seconds: number, decimals: string): string {
  const at = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const offset = -at.getTimezoneOffset();
  const away = Math.abs(offset);
  const zone =
    offset === 0 ? "Z" : `${offset < 0 ? "-" : "+"}${two(Math.trunc(away / 60))}:${two(away % 60)}`;
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${decimals}${zone}`;
}
