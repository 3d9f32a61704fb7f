import { Fault } from "#errors";

/** An address of either family as a number, so that it can be counted with. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** A block of addresses; `value` of the first one. */
export interface Subnet {
  readonly family: 4 | 6;
  readonly value: bigint;
  readonly prefixLength: number;
}

/** The upper 96 bits of `::ffff:10.0.0.1`. Source: RFC 4291, section 2.5.5.2. */
const MAPPED_PREFIX = 0xffffn;

export const bitsOf = (family: 4 | 6): number => (family === 4 ? 32 : 128);

/** `10.0.0.1`, `fd00::1`, `::ffff:10.0.0.1`; brackets and zones are not addresses. Undefined when it is none. */
export function parseAddress(text: string): IpAddress | undefined {
  const value = text.includes(":") ? parseV6(text) : parseV4(text);
  return value === undefined ? undefined : { family: text.includes(":") ? 6 : 4, value };
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256n + BigInt(part);
  }
  return value;
}

/**
 * As the kernel's tools write it, so that two that are one look alike; an IPv4 address in IPv6's form is an IPv4
 * address. Undefined when it is none.
 */
export function canonicalAddress(text: string): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return undefined;
  const isMapped = address.family === 6 && address.value >> 32n === MAPPED_PREFIX;
  return formatAddress(isMapped ? { family: 4, value: address.value & 0xffffffffn } : address);
}

/** Source: RFC 4291, section 2.2. */
function parseV6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const last = halves.length - 1;
  const groups = halves.map((half, index) => (half === "" ? [] : groupsOf(half, index === last)));
  const [head, tail] = groups;
  if (head === undefined || groups.includes(undefined)) return undefined;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array<number>(missing).fill(0), ...(tail ?? [])];
  return all.reduce((value, group) => value * 65536n + BigInt(group), 0n);
}

/** The 16-bit groups of one side of `::`; the last one of all may be a dotted IPv4 address. */
function groupsOf(half: string, isLast: boolean): number[] | undefined {
  const groups: number[] = [];
  const parts = half.split(":");
  for (const [index, part] of parts.entries()) {
    if (part.includes(".")) {
      const v4 = isLast && index === parts.length - 1 ? parseV4(part) : undefined;
      if (v4 === undefined) return undefined;
      groups.push(Number(v4 >> 16n), Number(v4 & 0xffffn));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

export function formatAddress({ family, value }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, index) =>
    Number((value >> BigInt(112 - 16 * index)) & 0xffffn),
  );
  return compress(groups);
}

/** The longest run of two or more zero groups becomes `::`, the first of equals. Source: RFC 5952. */
function compress(groups: readonly number[]): string {
  const best = { start: -1, length: 1 };
  for (let start = 0; start < groups.length; start += 1) {
    let length = 0;
    while (groups[start + length] === 0) length += 1;
    if (length > best.length) Object.assign(best, { start, length });
  }
  const words = groups.map((group) => group.toString(16));
  if (best.start < 0) return words.join(":");
  return `${words.slice(0, best.start).join(":")}::${words.slice(best.start + best.length).join(":")}`;
}

/** In network order: 4 bytes or 16. */
export function addressBytes({ family, value }: IpAddress): Uint8Array {
  const length = bitsOf(family) / 8;
  return Uint8Array.from({ length }, (_, index) =>
    Number((value >> BigInt(8 * (length - 1 - index))) & 255n),
  );
}

export function addressOf(bytes: Uint8Array): IpAddress {
  const value = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

/** `172.17.0.1/16`: an address within a block. Undefined when it is malformed. */
export function parsePrefix(text: string): { address: IpAddress; subnet: Subnet } | undefined {
  const [head = "", length = "", ...rest] = text.split("/");
  const address = parseAddress(head);
  if (address === undefined || rest.length > 0 || !/^[0-9]{1,3}$/.test(length)) return undefined;
  if (Number(length) > bitsOf(address.family)) return undefined;
  return { address, subnet: subnetOf(address, Number(length)) };
}

/** For settings: throws `invalid`, naming the setting. */
export function requirePrefix(text: string, setting: string): { address: IpAddress; subnet: Subnet } {
  const parsed = parsePrefix(text);
  if (parsed === undefined)
    throw new Fault("invalid", `Cannot use ${setting} ${text}: it is not an address with a prefix length`);
  return parsed;
}

export function subnetOf({ family, value }: IpAddress, prefixLength: number): Subnet {
  const shift = BigInt(bitsOf(family) - prefixLength);
  return { family, value: (value >> shift) << shift, prefixLength };
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet)}/${subnet.prefixLength}`;
}

/** How many addresses a block has, the reserved ones included. */
export function sizeOf(subnet: Subnet): bigint {
  return 1n << BigInt(bitsOf(subnet.family) - subnet.prefixLength);
}

export function contains(subnet: Subnet, { family, value }: IpAddress): boolean {
  return family === subnet.family && value >= subnet.value && value < subnet.value + sizeOf(subnet);
}

export function overlaps(one: Subnet, other: Subnet): boolean {
  return contains(one, other) || contains(other, one);
}
