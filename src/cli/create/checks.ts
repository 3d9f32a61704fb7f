import { didYouMean } from "#errors";
import { isAddress, sizeOf } from "./values.ts";

/** What is wrong with one value of a flag, worded as docker's client words it, or undefined. */
const STREAMS = ["stdin", "stdout", "stderr"];

export function checkAttach(text: string): string | undefined {
  const isStream = STREAMS.includes(text.toLowerCase());
  return isStream ? undefined : `valid streams are STDIN, STDOUT and STDERR${didYouMean(text, STREAMS)}`;
}

export function checkAddHost(text: string): string | undefined {
  const [, name = "", address = ""] = /^([^:=]*)[:=](.*)$/.exec(text) ?? [];
  if (name === "" || address === "") return `bad format for add-host: ${JSON.stringify(text)}`;
  if (address === "host-gateway" || isAddress(address.replace(/^\[(.*)\]$/, "$1"))) return undefined;
  return `invalid IP address in add-host: ${JSON.stringify(address)}`;
}

export function checkDns(text: string): string | undefined {
  return isAddress(text) ? undefined : `IP address is not correctly formatted: ${text}`;
}

/** In Go's words for a flag that holds an address. */
export function checkIp(text: string): string | undefined {
  return isAddress(text.trim()) ? undefined : `failed to parse IP: ${JSON.stringify(text)}`;
}

export function checkEnv(text: string): string | undefined {
  return text === "" || text.startsWith("=") ? `invalid environment variable: ${text}` : undefined;
}

export function checkLabel(text: string): string | undefined {
  return text === "" || text.startsWith("=") ? `invalid label '${text}': empty name` : undefined;
}

export function checkLink(text: string): string | undefined {
  if (text === "") return "empty string specified for links";
  return text.split(":").length > 2 ? `bad format for links: ${text}` : undefined;
}

const SYSCTLS = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/** Only keys that belong to a namespace may be set. */
export function checkSysctl(text: string): string | undefined {
  const [, key = ""] = /^([^=]*)=/.exec(text) ?? [];
  if (SYSCTLS.has(key) || key.startsWith("net.") || key.startsWith("fs.mqueue.")) return undefined;
  return `sysctl '${text}' is not allowed`;
}

export function checkDeviceWeight(text: string): string | undefined {
  const [, path = "", weight = ""] = /^([^:]*):(.*)$/.exec(text) ?? [];
  if (path === "") return `bad format: ${text}`;
  if (!path.startsWith("/dev/")) return `bad format for device path: ${text}`;
  const isInRange =
    /^\d+$/.test(weight) && (Number(weight) === 0 || (Number(weight) >= 10 && Number(weight) <= 1000));
  return isInRange ? undefined : `invalid weight for device: ${text}`;
}

/** Bytes a second: a unit may follow. */
export function checkDeviceRate(text: string): string | undefined {
  const isRate = (rate: string) => sizeOf(rate) !== undefined;
  return rateProblem(
    text,
    isRate,
    "<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb",
  );
}

/** Operations a second: a number alone. */
export function checkDeviceOperations(text: string): string | undefined {
  return rateProblem(text, (rate) => /^\d+$/.test(rate), "<number>. Number must be a positive integer");
}

function rateProblem(text: string, isRate: (text: string) => boolean, form: string): string | undefined {
  const [, path = "", rate = ""] = /^([^:]*):(.*)$/.exec(text) ?? [];
  if (path === "") return `bad format: ${text}`;
  if (!path.startsWith("/dev/")) return `bad format for device path: ${text}`;
  return isRate(rate)
    ? undefined
    : `invalid rate for device: ${text}. The correct format is <device-path>:${form}`;
}

export function checkDeviceRule(text: string): string | undefined {
  const isRule = /^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(text);
  return isRule ? undefined : `invalid device cgroup format '${text}'`;
}

export function checkPositive(text: string): string | undefined {
  if (Number(text) >= 0 && Number(text) <= 65535) return undefined;
  return `strconv.ParseUint: parsing ${JSON.stringify(text)}: value out of range`;
}
