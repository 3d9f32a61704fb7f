import type { Carriage, EndpointRecord, PortReport } from "./driver.ts";

/** Each published port, what carries it and who can reach it from where, as the driver of its network says. */
export function reportPorts(
  records: readonly EndpointRecord[],
  carriageOf: (record: EndpointRecord) => readonly Carriage[],
): readonly PortReport[] {
  return records.flatMap((record) =>
    carriageOf(record).map(({ isHeld: _, ...port }) => ({
      ...port,
      containerId: record.containerId,
      containerName: record.containerName.replace(/^\//, ""),
      networkName: record.endpoint.networkName,
    })),
  );
}
