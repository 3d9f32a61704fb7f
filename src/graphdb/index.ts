/**
 * Owns the SQLite file: schema, migrations, transactions, and the named edges between nodes.
 * Refuses to know what the records mean: each table has one writer, in another room.
 * Called by the stores of `container`, `graph`, `network` and `volume`; opened by `daemon`.
 */
export { GraphDB } from "./database.ts";
export { type Edge, type EdgeKind, Edges } from "./edges.ts";
export type { RecordProblem, RecordTable } from "./examine.ts";
