import type { DeviceRequest } from "#client";
import { didYouMean } from "#errors";
import { csvFields, mapOf } from "./values.ts";

const KEYS = ["count", "device", "driver", "capabilities", "options"];

/** What is wrong with a value of `--gpus`. */
export function checkGpus(text: string): string | undefined {
  for (const field of csvFields(text)) {
    const [, key = "count", value = field] = /^([^=]*)=(.*)$/.exec(field) ?? [];
    if (!KEYS.includes(key)) return `unexpected key '${key}' in '${field}'${didYouMean(key, KEYS)}`;
    if (key === "count" && value !== "all" && !/^\d+$/.test(value))
      return `invalid count (${value}): value must be either "all" or an integer: invalid syntax`;
  }
  return undefined;
}

/** `all`, `2`, `device=0`, `"device=0,1",capabilities=utility`. */
export function gpuRequest(text: string): DeviceRequest {
  const request: DeviceRequest = { Driver: "", Count: 0, DeviceIDs: null, Capabilities: null, Options: {} };
  let isCounted = false;
  for (const field of csvFields(text)) {
    const [, key = "count", value = field] = /^([^=]*)=(.*)$/.exec(field) ?? [];
    if (key === "driver") request.Driver = value;
    if (key === "count") request.Count = value === "all" ? -1 : Number(value);
    if (key === "device") request.DeviceIDs = value.split(",");
    if (key === "capabilities") request.Capabilities = [[...value.split(","), "gpu"]];
    if (key === "options") request.Options = mapOf(value.split(","));
    isCounted ||= key === "count";
  }
  if (!isCounted && request.DeviceIDs === null) request.Count = 1;
  request.Capabilities ??= [["gpu"]];
  return request;
}
