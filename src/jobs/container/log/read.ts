import { type Container, type LogQuery, readJournal, readLog } from "#container";
import { Fault } from "#errors";
import { driverOf } from "./options.ts";
import { logLocation } from "./sinks.ts";

type Logged = Pick<Container, "id" | "spec" | "directory" | "logPath">;

/** What a container has said, wherever its driver can be read. Throws `unsupported` in Docker's words where it cannot. */
export function readContainerLog(container: Logged, query: LogQuery): AsyncGenerator<Uint8Array> {
  const location = logLocation(container);
  if (location !== undefined) return readLog(location, query);
  if (driverOf(container.spec.host.logConfig) === "journald") return readJournal(container.id, query);
  throw new Fault("unsupported", "configured logging driver does not support reading");
}
