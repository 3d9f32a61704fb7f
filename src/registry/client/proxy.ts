import { BlockList, isIP } from "node:net";
import type { RegistryProxies } from "../types.ts";

/**
 * The proxy by which a URL is reached; undefined for straight. Loopback never goes by one. Source: Go,
 * golang.org/x/net/http/httpproxy, Config, whose words Docker's users write into `no-proxy`.
 */
export function proxyFor(url: URL, { http, https, none = "" }: RegistryProxies): string | undefined {
  const proxy = url.protocol === "https:" ? https : http;
  if (proxy === undefined || proxy === "") return undefined;
  const name = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  if (name === "localhost" || isWithin(name, "127.0.0.0/8") || name === "::1") return undefined;
  const entries = none.split(",").map((entry) => entry.trim().toLowerCase());
  return entries.some((entry) => entry !== "" && covers(entry, { name, port })) ? undefined : proxy;
}

function covers(entry: string, { name, port }: { readonly name: string; readonly port: string }): boolean {
  if (entry === "*") return true;
  if (entry.includes("/")) return isWithin(name, entry);
  const [, host = entry, own] = /^(.*?[^:]|\[.*\]):(\d+)$/.exec(entry) ?? [];
  if (own !== undefined && own !== port) return false;
  const bare = host.replace(/^\[|\]$/g, "").replace(/^\*/, "");
  if (isIP(name) !== 0) return bare === name;
  return bare.startsWith(".") ? name.endsWith(bare) : name === bare || name.endsWith(`.${bare}`);
}

function isWithin(address: string, cidr: string): boolean {
  const [network = "", bits = ""] = cidr.split("/");
  const family = isIP(network);
  if (family === 0 || isIP(address) !== family || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  const kind = family === 4 ? "ipv4" : "ipv6";
  list.addSubnet(network, Number(bits), kind);
  return list.check(address, kind);
}
