import { listAddresses, listRoutes, type Netlink } from "#host";
import { addressOf, bitsOf, parseAddress, type Subnet, subnetOf } from "../addresses.ts";
import { parseResolvConf, readHostResolvConf } from "../resolv-conf.ts";

/** The blocks that this host's routes, links and name servers are in; those over the link `apart` are left out. */
export function blocksOfHost(netlink: Netlink, apart = 0): readonly Subnet[] {
  const known = [...listRoutes(netlink), ...listAddresses(netlink)]
    .filter(({ index, prefixLength }) => index !== apart && prefixLength > 0)
    .map(({ bytes, prefixLength }) => subnetOf(addressOf(bytes), prefixLength));
  return [...known, ...nameServers()];
}

function nameServers(): Subnet[] {
  const { servers } = parseResolvConf(readHostResolvConf());
  return servers.flatMap((server) => {
    const address = parseAddress(server);
    return address === undefined ? [] : [subnetOf(address, bitsOf(address.family))];
  });
}
