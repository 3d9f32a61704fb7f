import { existsSync } from "node:fs";
import { Fault } from "#errors";
import type { LogSocket } from "#libcontainer";
import { chosenAttributes, type Logged, tagOf } from "./facts.ts";
import { bufferBytes } from "./options.ts";
import { unixAddress } from "./socket-address.ts";

const SOCKET = "/run/systemd/journal/socket";
/** Source: syslog(3). */
const PRIORITIES = { stdout: 6, stderr: 3 } as const;

/** A label of an image must not pass for what the driver says. */
const OWN_FIELDS = /^(?:MESSAGE|PRIORITY|SYSLOG_.*|CONTAINER_.*|IMAGE_NAME)$/;

export const hasJournal = (): boolean => existsSync(SOCKET);

/** Docker's fields. Source: Docker, "Journald logging driver". */
export function journalSink(container: Logged): LogSocket {
  if (!hasJournal())
    throw new Fault(
      "internal",
      "failed to initialize logging driver: journald is not enabled on this host; choose another --log-driver",
    );
  const { options } = container.spec.host.logConfig;
  const head = (stream: keyof typeof PRIORITIES) =>
    journalFields({ PRIORITY: String(PRIORITIES[stream]), ...fieldsOf(container) });
  return {
    kind: "journal",
    type: "datagram",
    address: unixAddress(SOCKET),
    bufferBytes: bufferBytes(options),
    isBlocking: options.mode !== "non-blocking",
    heads: { stdout: head("stdout"), stderr: head("stderr") },
    stamp: "seconds",
    tail: "",
  };
}

/** Of every message, whatever it says. */
export function fieldsOf(container: Logged): Readonly<Record<string, string>> {
  const tag = tagOf(container, "{{.ID}}");
  const chosen = Object.entries(chosenAttributes(container, fieldName));
  return {
    ...Object.fromEntries(chosen.filter(([name]) => !OWN_FIELDS.test(name))),
    CONTAINER_ID: container.id.slice(0, 12),
    CONTAINER_ID_FULL: container.id,
    CONTAINER_NAME: container.name,
    CONTAINER_TAG: tag,
    IMAGE_NAME: container.spec.image,
    SYSLOG_IDENTIFIER: tag,
  };
}

/** Capitals, digits and underscores, none of these at the start: a leading one marks what the journal vouches for. */
export function fieldName(key: string): string {
  return key
    .replace(/[a-z]/g, (letter) => letter.toUpperCase())
    .replace(/[^A-Z0-9]/gu, "_")
    .replace(/^_+/, "");
}

/** A value with a newline goes after its length. Source: systemd, JOURNAL_NATIVE_PROTOCOL. */
export function journalFields(fields: Readonly<Record<string, string>>): Uint8Array {
  const parts = Object.entries(fields).flatMap(([name, value]) => {
    if (name === "") return [];
    if (!value.includes("\n")) return [Buffer.from(`${name}=${value}\n`)];
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(bytes.length));
    return [Buffer.from(`${name}\n`), length, bytes, Buffer.from("\n")];
  });
  return Buffer.concat(parts);
}
