import type { IpamConfigBody } from "#client";
import { Fault } from "#errors";
import { isAddress } from "./values.ts";

interface Subnet {
  readonly text: string;
  readonly first: bigint;
  readonly last: bigint;
  readonly bits: 32 | 128;
}

export interface IpamWords {
  readonly subnets: readonly string[];
  readonly ranges: readonly string[];
  readonly gateways: readonly string[];
  /** Name → address. */
  readonly auxiliary: Readonly<Record<string, string>>;
}

export const checkSubnetWord = (text: string) =>
  isCidr(text) ? undefined : `invalid string being converted to CIDR: ${text}`;

export const checkGatewayWord = (text: string) =>
  isAddress(text) ? undefined : `invalid string being converted to IP address: ${text}`;

/**
 * Puts ranges, gateways and auxiliary addresses to the subnets that hold them. Source: docker network create reference,
 * "Specify advanced options".
 * @throws Fault `invalid` in docker's words
 */
export function ipamConfigs({ subnets, ranges, gateways, auxiliary }: IpamWords): IpamConfigBody[] {
  if (subnets.length < ranges.length || subnets.length < gateways.length)
    throw invalid("every ip-range or gateway must have a corresponding subnet");
  const known = subnets.map(subnetOf);
  const overlap = known.some((one, at) =>
    known.slice(0, at).some((other) => holds(one, other) || holds(other, one)),
  );
  if (overlap) throw invalid("multiple overlapping subnet configuration is not supported");
  const configs = new Map(known.map(({ text }): [string, IpamConfigBody] => [text, { Subnet: text }]));
  const place = (word: string, what: string) => {
    const found = known.find((subnet) => holds(subnet, subnetOf(word)));
    const config = found && configs.get(found.text);
    if (config === undefined) throw invalid(`no matching subnet for ${what} ${word}`);
    return config;
  };
  for (const range of ranges) {
    const config = place(range, "range");
    if (config.IPRange !== undefined)
      throw invalid(
        `cannot configure multiple ranges (${range}, ${config.IPRange}) on the same subnet (${config.Subnet})`,
      );
    config.IPRange = range;
  }
  for (const gateway of gateways) {
    const config = place(gateway, "gateway");
    if (config.Gateway !== undefined)
      throw invalid(
        `cannot configure multiple gateways (${gateway}, ${config.Gateway}) for the same subnet (${config.Subnet})`,
      );
    config.Gateway = gateway;
  }
  for (const [name, address] of Object.entries(auxiliary)) {
    if (address === "") continue;
    if (!isAddress(address)) throw invalid(`ParseAddr(${JSON.stringify(address)}): unable to parse IP`);
    const config = place(address, "aux-address");
    config.AuxiliaryAddresses = { ...config.AuxiliaryAddresses, [name]: address };
  }
  return [...configs.values()];
}

const invalid = (sentence: string) => new Fault("invalid", sentence);

function isCidr(text: string): boolean {
  const [, address = "", length = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  return isAddress(address) && Number(length) <= (address.includes(":") ? 128 : 32);
}

/** A subnet, or an address as one of a single address. */
function subnetOf(text: string): Subnet {
  const isBare = isAddress(text);
  if (!isBare && !isCidr(text)) throw invalid(`invalid subnet: invalid CIDR address: ${text}`);
  const [address = "", length] = text.split("/");
  const bits = address.includes(":") ? 128 : 32;
  const size = 1n << BigInt(bits - Number(isBare ? bits : length));
  const first = (numberOf(address) / size) * size;
  return { text, first, last: first + size - 1n, bits };
}

const holds = (outer: Subnet, inner: Subnet) =>
  outer.bits === inner.bits && inner.first >= outer.first && inner.first <= outer.last;

function numberOf(address: string): bigint {
  if (!address.includes(":")) return address.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  // A URL writes an IPv6 address in its shortest form, without dots.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const words = (part: string | undefined) => (part ? part.split(":") : []);
  const [before, after] = [words(head), words(tail)];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  return [...before, ...zeros, ...after].reduce((sum, word) => sum * 65536n + BigInt(`0x${word}`), 0n);
}
