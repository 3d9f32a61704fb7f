import type { DoctorReport, GarbageReport } from "#api";
import type { Transport } from "./transport.ts";

/**
 * Whether the store is whole; with `repairs` what can be mended is mended before. `auths`: the JSON of an AuthConfig for
 * each registry that images may have to be pulled from again.
 */
export function askDoctor(
  transport: Transport,
  {
    isQuick,
    repairs,
    auths = new Map(),
  }: {
    readonly isQuick: boolean;
    readonly repairs: boolean;
    readonly auths?: ReadonlyMap<string, string>;
  },
): Promise<DoctorReport> {
  const query = isQuick ? { quick: "1" } : {};
  const config = JSON.stringify(Object.fromEntries([...auths].map(([key, json]) => [key, JSON.parse(json)])));
  const header = { "X-Registry-Config": Buffer.from(config).toString("base64url") };
  return transport.json(repairs ? "POST" : "GET", "/bunker/doctor", {
    query,
    ...(auths.size > 0 && { fields: header }),
  });
}

/** What nobody needs, or with `isDry` false what of it was freed. */
export function collectGarbage(
  transport: Transport,
  {
    isDry,
    isAll,
    keepSeconds,
    goalBytes,
  }: {
    readonly isDry: boolean;
    readonly isAll: boolean;
    readonly keepSeconds: number;
    readonly goalBytes?: number;
  },
): Promise<GarbageReport> {
  const query = {
    keep: String(keepSeconds),
    ...(isAll && { all: "1" }),
    ...(goalBytes !== undefined && { goal: String(goalBytes) }),
  };
  return transport.json(isDry ? "GET" : "POST", "/bunker/gc", { query });
}
