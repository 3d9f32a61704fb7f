const DECIMAL = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];

function scaled(
  bytes: number,
  { base, names, digits }: { base: number; names: readonly string[]; digits: number },
): string {
  let value = bytes;
  let at = 0;
  const rounded = () => Number(value.toPrecision(digits));
  while (rounded() >= base && at < names.length - 1) {
    value /= base;
    at++;
  }
  return `${rounded()}${names[at]}`;
}

/** `1.23MB`: decimal units, three significant digits. Source: docker's tables. */
export function humanSize(bytes: number, digits = 3): string {
  return scaled(bytes, { base: 1000, names: DECIMAL, digits });
}

/** `12.5MiB`: binary units, four significant digits. */
export function binarySize(bytes: number): string {
  return scaled(bytes, { base: 1024, names: BINARY, digits: 4 });
}

/** `About a minute`, `2 hours`. Source: docker's tables. */
export function humanDuration(duration: number): string {
  const seconds = Math.trunc(duration);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(seconds / 3600);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(seconds / 3600 / 24 / 365)} years`;
}

/** `2026-05-30 12:07:14 +0000 UTC`, in the zone of this machine. */
export function timeText(seconds: number): string {
  const at = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const offset = -at.getTimezoneOffset();
  const sign = offset < 0 ? "-" : "+";
  const zone = `${sign}${two(Math.trunc(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} ${zone} ${zoneName(at, zone)}`;
}

function zoneName(at: Date, zone: string): string {
  if (zone === "+0000") return "UTC";
  const parts = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" }).formatToParts(at);
  const name = parts.find(({ type }) => type === "timeZoneName")?.value ?? zone;
  return name.startsWith("GMT") ? zone.slice(0, 3) : name;
}

/** The first letters of an id, `sha256:` taken off. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}

/** Cuts a text to so many characters, the last of which then is an ellipsis. */
export function ellipsis(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join("")}…`;
}
