import { hkdfSync } from "node:crypto";
import type { Secrets } from "../../cluster/shapes.ts";

/** Docker's. */
export const ROTATION_MILLISECONDS = 12 * 60 * 60 * 1000;
/** One that was used, the one in use, one that will be: hosts learn of a change at different moments. */
const KEPT = 3;
/** AES-256, and the salt of RFC 4106. */
const KEY_BYTES = 36;
const SPI_BYTES = 4;
/** Lower ones are reserved (RFC 4303, section 2.1). */
const LOWEST_SPI = 0x100;

export interface Station {
  readonly id: string;
  readonly nonce: string;
}

/** What protects the packets of one direction between two hosts. */
export interface Association {
  readonly spi: number;
  /** Hexadecimal. */
  readonly key: string;
}

export function newSecret(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}

export const firstSecrets = (now: number): Secrets => ({ rotatedAt: now, secrets: [newSecret()] });

/** Undefined while they are fresh. */
export function rotated({ rotatedAt, secrets }: Secrets, now: number): Secrets | undefined {
  if (now - rotatedAt < ROTATION_MILLISECONDS) return undefined;
  return { rotatedAt: now, secrets: [...secrets, newSecret()].slice(-KEPT) };
}

/** The one that packets are sent with: not the newest, which some host may not know yet. */
export const secretInUse = ({ secrets }: Secrets): string => secrets.at(-2) ?? secrets[0] ?? "";

/**
 * Of no two directions, hosts or lives of a host the same: AES-GCM breaks when a key meets a counter twice.
 */
export function derive(secret: string, from: Station, to: Station): Association {
  const info = ["bunker overlay esp", from.id, from.nonce, to.id, to.nonce].join(" ");
  const bytes = Buffer.from(hkdfSync("sha256", Buffer.from(secret, "hex"), "", info, KEY_BYTES + SPI_BYTES));
  const spi = bytes.readUInt32BE(KEY_BYTES);
  return {
    key: bytes.subarray(0, KEY_BYTES).toString("hex"),
    spi: spi < LOWEST_SPI ? spi + LOWEST_SPI : spi,
  };
}
