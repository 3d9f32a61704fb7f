import { Fault } from "#errors";
import { addressBytes, parseAddress } from "#network";

/** Source: socket.h of Linux. */
const FAMILIES = { unix: 1, 4: 2, 6: 10 } as const;
/** sun_path of unix(7) holds 108 bytes with its NUL. */
const MOST_PATH = 107;

/** struct sockaddr_un. Throws `invalid` when the path does not fit. */
export function unixAddress(path: string): Uint8Array {
  const bytes = Buffer.from(path);
  if (bytes.length > MOST_PATH)
    throw new Fault(
      "invalid",
      `Cannot log to ${path.slice(0, 200)}: a socket's path has at most ${MOST_PATH} bytes`,
    );
  return Buffer.concat([family("unix"), bytes, Buffer.alloc(1)]);
}

/** struct sockaddr_in or sockaddr_in6 of an address that a resolver gave. Source: ip(7), ipv6(7). */
export function inetAddress(text: string, port: number): Uint8Array {
  const address = parseAddress(text);
  if (address === undefined) throw new Fault("invalid", `Cannot log to ${text}: that is no address`);
  const network = Buffer.alloc(2);
  network.writeUInt16BE(port);
  const head = [family(address.family), network];
  const bytes = addressBytes(address);
  return address.family === 4
    ? Buffer.concat([...head, bytes, Buffer.alloc(8)])
    : Buffer.concat([...head, Buffer.alloc(4), bytes, Buffer.alloc(4)]);
}

function family(name: keyof typeof FAMILIES): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(FAMILIES[name]);
  return bytes;
}
