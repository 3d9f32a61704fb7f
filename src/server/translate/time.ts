/** Milliseconds since the epoch as Docker prints times; 0 is "never". */
export function toWireTime(milliseconds: number): string {
  return milliseconds === 0 ? "0001-01-01T00:00:00Z" : new Date(milliseconds).toISOString();
}

/** RFC 3339 into whole seconds since the epoch; 0 for what is no time or Docker's zero time. */
export function toSeconds(text: string | null | undefined): number {
  const milliseconds = Date.parse(text ?? "");
  return Number.isNaN(milliseconds) || milliseconds < 0 ? 0 : Math.floor(milliseconds / 1000);
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A duration the way `docker ps` says it: "3 minutes", "About an hour", "2 weeks". */
export function humanDuration(seconds: number): string {
  const whole = Math.floor(seconds);
  const hours = Math.floor(seconds / HOUR + 0.5);
  if (whole < 1) return "Less than a second";
  if (whole === 1) return "1 second";
  if (whole < MINUTE) return `${whole} seconds`;
  if (whole < 2 * MINUTE) return "About a minute";
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (whole < 14 * DAY) return `${Math.floor(hours / 24)} days`;
  if (whole < 60 * DAY) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (whole < 730 * DAY) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}
