import { lookup } from "node:dns/promises";
import { readFile, realpath } from "node:fs/promises";
import { connect } from "node:net";
import { hostname } from "node:os";
import { Fault, sentenceOf } from "#errors";
import type { LogSocket } from "#libcontainer";
import { type Logged, tagOf } from "./facts.ts";
import { bufferBytes } from "./options.ts";
import { inetAddress, unixAddress } from "./socket-address.ts";
import {
  parseSyslogAddress,
  type SyslogAddress,
  type SyslogFormat,
  syslogFacility,
  syslogFormat,
} from "./syslog-address.ts";

/** Where this host's own server may listen. Source: syslog(3) and its kin, as Go's log/syslog tries them. */
const LOCAL_PATHS = ["/dev/log", "/var/run/syslog", "/var/run/log"];
/** A server is given so long to accept, in milliseconds. */
const PATIENCE = 10_000;
/** Source: syslog(3). */
const SEVERITIES = { stdout: 6, stderr: 3 } as const;

/** What the supervisor connects to, once somebody has been found to listen there, as Docker does at each start. */
export async function syslogSink(container: Logged): Promise<LogSocket> {
  const { options } = container.spec.host.logConfig;
  const place = await find(parseSyslogAddress(options["syslog-address"]));
  const format = syslogFormat(options["syslog-format"]);
  const facility = syslogFacility(options["syslog-facility"]);
  const wording = wordingOf(format, tagOf(container, "{{.ID}}"));
  const head = (stream: keyof typeof SEVERITIES) =>
    Buffer.from(`<${facility * 8 + SEVERITIES[stream]}>${wording.version}`);
  return {
    kind: "syslog",
    ...place,
    bufferBytes: bufferBytes(options),
    isBlocking: options.mode !== "non-blocking",
    heads: { stdout: head("stdout"), stderr: head("stderr") },
    stamp: wording.stamp,
    tail: wording.tail,
  };
}

/** What stands around the time. Source: RFC 3164 and 5424; Docker, syslog-format. */
function wordingOf(
  format: SyslogFormat,
  tag: string,
): { readonly version: string; readonly stamp: LogSocket["stamp"]; readonly tail: string } {
  const host = hostname();
  const { pid } = process;
  switch (format) {
    case "unix":
      return { version: "", stamp: "short", tail: ` ${tag}[${pid}]: ` };
    case "rfc3164":
      return { version: "", stamp: "short", tail: ` ${host} ${tag}[${pid}]: ` };
    default:
      return {
        version: "1 ",
        stamp: format === "rfc5424" ? "seconds" : "microseconds",
        tail: ` ${host} ${tag} ${pid} ${tag} - `,
      };
  }
}

type Place = Pick<LogSocket, "type" | "address">;

async function find(address: SyslogAddress): Promise<Place> {
  switch (address.kind) {
    case "local": {
      for (const path of LOCAL_PATHS) {
        const type = await listenerAt(path);
        if (type !== undefined) return { type, address: unixAddress(path) };
      }
      throw unreachable(
        `no syslog server listens on this host (${LOCAL_PATHS.join(", ")}); name one by --log-opt syslog-address`,
      );
    }
    case "unix": {
      const type = await listenerAt(address.path);
      if (type === undefined) throw unreachable(`dial unix ${address.path}: connect: connection refused`);
      return { type, address: unixAddress(address.path) };
    }
    default: {
      const { kind, host, port } = address;
      const found = await lookup(host).catch((cause) => {
        throw unreachable(`dial ${kind}: lookup ${host}: ${sentenceOf(cause)}`);
      });
      if (kind === "tcp") await reach(found.address, port);
      return { type: kind === "tcp" ? "stream" : "datagram", address: inetAddress(found.address, port) };
    }
  }
}

const unreachable = (reason: string): Fault =>
  new Fault("internal", `failed to initialize logging driver: ${reason}`);

/** Of which type the socket is that is bound at a path. Source: proc_net_unix, columns Type and Path. */
async function listenerAt(path: string): Promise<Place["type"] | undefined> {
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined) return undefined;
  for (const line of (await readFile("/proc/net/unix", "utf8")).split("\n")) {
    const [, type, bound] = /^\S+ \S+ \S+ \S+ (\d+) \S+ +\d+ (.+)$/.exec(line) ?? [];
    if (bound !== real && bound !== path) continue;
    if (type === "0001") return "stream";
    if (type === "0002") return "datagram";
  }
  return undefined;
}

async function reach(host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host, port, timeout: PATIENCE });
  socket.once("connect", resolve).once("error", reject);
  socket.once("timeout", () => reject(new Error("i/o timeout")));
  try {
    await promise;
  } catch (thrown) {
    throw unreachable(`dial tcp ${host}:${port}: ${sentenceOf(thrown)}`);
  } finally {
    socket.destroy();
  }
}
