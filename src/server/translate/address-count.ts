import { isIP } from "node:net";

const UINT64_MAX = 2n ** 64n - 1n;

interface Pool {
  /** With prefix length, as the range. */
  readonly subnet: string;
  /** Empty: the whole subnet. */
  readonly range: string;
}

/**
 * How many addresses of a pool are in use or never given, and how many are left to be given without being asked for.
 * Both end at 2^64-1. Source: Docker Engine API 1.52, SubnetStatus.
 * @param addresses what is in use, without prefix lengths; those of elsewhere do not count
 */
export function countAddresses(
  { subnet, range }: Pool,
  addresses: readonly string[],
): { readonly inUse: bigint; readonly available: bigint } {
  const whole = block(subnet);
  const given = range === "" ? whole : block(range);
  const used = new Set([...addresses.filter((text) => isIP(text) !== 0).map(numberOf), ...reserved(whole)]);
  const within = ({ first, last }: Block) => [...used].filter((at) => at >= first && at <= last).length;
  return {
    inUse: smallest(BigInt(within(whole)), UINT64_MAX),
    available: smallest(given.last - given.first + 1n - BigInt(within(given)), UINT64_MAX),
  };
}

interface Block {
  readonly first: bigint;
  readonly last: bigint;
  readonly bits: 32 | 128;
}

function block(text: string): Block {
  const [address = "", length = ""] = text.split("/");
  const bits = address.includes(":") ? 128 : 32;
  const size = 1n << BigInt(bits - Number(length));
  const first = (numberOf(address) / size) * size;
  return { first, last: first + size - 1n, bits };
}

/** The subnet itself, and what IPv4 keeps for broadcasts; not where there is but a pair of addresses. */
function reserved({ first, last, bits }: Block): readonly bigint[] {
  if (last - first < 2n) return [];
  return bits === 32 ? [first, last] : [first];
}

function numberOf(text: string): bigint {
  if (!text.includes(":")) return text.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  // A URL writes an IPv6 address in its shortest form, without dots.
  const { hostname } = new URL(`http://[${text.replace(/%.*$/, "")}]`);
  const [head = "", tail] = hostname.slice(1, -1).split("::");
  const words = (part: string) => (part === "" ? [] : part.split(":"));
  const after = tail === undefined ? [] : words(tail);
  const before = words(head);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  return [...before, ...zeros, ...after].reduce((sum, word) => sum * 65536n + BigInt(`0x${word}`), 0n);
}

const smallest = (left: bigint, right: bigint) => (left < right ? left : right);
