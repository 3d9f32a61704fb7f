/**
 * Owns the connection to a daemon: the address, HTTP over a socket, streams that the daemon hands over, one function an endpoint.
 * Refuses to parse words or to print: errors leave as Faults that carry the daemon's sentence.
 * Called by `cli`.
 */

export type {
  DoctorFinding,
  DoctorReport,
  GarbageItem,
  ImageFound,
  JobSummary,
  NetworkFinding,
  PublishedPortReport,
} from "#api";
export { DEFAULT_HOST, parseAddress } from "./address.ts";
export {
  commitContainer,
  exportContainer,
  getArchive,
  importImage,
  isDirectory,
  isLink,
  isOdd,
  loadImages,
  type PathStat,
  putArchive,
  saveImages,
  statPath,
} from "./archive.ts";
export { Duplex, passOutput, relayStream } from "./attach.ts";
export type * from "./bodies.ts";
export * from "./checkpoints.ts";
export * from "./containers.ts";
export * from "./disk-usage.ts";
export * from "./execs.ts";
export type { Sink, Stream } from "./frames.ts";
export * from "./images.ts";
export { linesOf, valuesOf } from "./lines.ts";
export * from "./networks.ts";
export { runContainer } from "./runs.ts";
export * from "./store.ts";
export * from "./system.ts";
export { API_VERSION, type Reply, Transport, type TransportOptions, type Upgraded } from "./transport.ts";
export type * from "./types.ts";
export * from "./volume-content.ts";
export * from "./volumes.ts";
export type { TlsKeys } from "./wire.ts";
