import type { DoctorReport, GarbageReport } from "#api";
import type { Transport } from "./transport.ts";

/** Whether the store is whole; with `repairs` what can be mended is mended before. */
export function askDoctor(
  transport: Transport,
  { isQuick, repairs }: { readonly isQuick: boolean; readonly repairs: boolean },
): Promise<DoctorReport> {
  const query = isQuick ? { quick: "1" } : {};
  return transport.json(repairs ? "POST" : "GET", "/bunker/doctor", { query });
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
