import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { type Container, type LogLocation, localAttributes } from "#container";
import type { LogFile, LogSink } from "#libcontainer";
import { entryAttributes } from "./facts.ts";
import { journalSink } from "./journald.ts";
import { cacheRotation, driverOf, rotation } from "./options.ts";
import { syslogSink } from "./syslog.ts";

type Logged = Pick<
  Container,
  "id" | "name" | "created" | "spec" | "path" | "args" | "effective" | "imageId" | "directory" | "logPath"
>;

/** Where the driver's own file is, or the copy of what it sends elsewhere; undefined where there is neither. */
export function logLocation(
  container: Pick<Container, "spec" | "directory" | "logPath">,
): LogLocation | undefined {
  const config = container.spec.host.logConfig;
  switch (driverOf(config)) {
    case "json-file":
      return { format: "json-file", path: container.logPath };
    case "local":
      return { format: "local", path: `${container.directory}/local-logs/container.log` };
    case "syslog":
      return cacheRotation(config) === undefined
        ? undefined
        : { format: "local", path: `${container.directory}/container-cached.log` };
    default:
      return undefined;
  }
}

/** Where the supervisor is to put what the container says. Throws when the destination is not there. */
export async function logSinks(container: Logged): Promise<readonly LogSink[]> {
  const files = await fileSinks(container);
  switch (driverOf(container.spec.host.logConfig)) {
    case "journald":
      return [...files, journalSink(container)];
    case "syslog":
      return [...files, await syslogSink(container)];
    default:
      return files;
  }
}

async function fileSinks(container: Logged): Promise<readonly LogFile[]> {
  const location = logLocation(container);
  if (location === undefined) return [];
  const config = container.spec.host.logConfig;
  const isOwn = driverOf(config) !== "syslog";
  const limits = isOwn ? rotation(config) : cacheRotation(config);
  if (limits === undefined) return [];
  if (location.format === "local") await mkdir(dirname(location.path), { recursive: true, mode: 0o700 });
  const attributes = isOwn ? entryAttributes(container) : {};
  const { format: kind, path } = location;
  return [
    {
      kind,
      path,
      ...limits,
      ...(Object.keys(attributes).length > 0 && { attributes: encoded(kind, attributes) }),
    },
  ];
}

function encoded(kind: LogFile["kind"], attributes: Readonly<Record<string, string>>): Uint8Array {
  return kind === "local" ? localAttributes(attributes) : Buffer.from(JSON.stringify(attributes));
}
