import { z } from "zod";

const Address = z.union([z.ipv4(), z.ipv6()]);

const Pool = z
  .strictObject({ base: z.union([z.cidrv4(), z.cidrv6()]), size: z.number().int().min(1).max(128) })
  .refine(({ base, size }) => size >= Number(base.split("/")[1]) && size <= (base.includes(":") ? 128 : 32), {
    error: "a pool's size is a prefix length in bits, not shorter than the base's own",
  });

/** What the daemon's networks run by. Source: Docker's dockerd reference, "Daemon configuration file". */
export const NETWORK_VALUES = {
  bridge: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,15}$/, "an interface name has at most 15 letters, digits, dots and dashes")
    .default("bunker0"),
  bip: z.string().optional(),
  bip6: z.cidrv6("write an IPv6 address with prefix length").optional(),
  "fixed-cidr": z.string().optional(),
  "fixed-cidr-v6": z.cidrv6("write an IPv6 subnet with prefix length").optional(),
  "default-gateway": z.ipv4("write an IPv4 address").optional(),
  "default-gateway-v6": z.ipv6("write an IPv6 address").optional(),
  "default-address-pools": z.array(Pool).default([]),
  "default-network-opts": z.record(z.string(), z.record(z.string(), z.string())).default({}),
  mtu: z.number().int().min(68).max(65535).default(1500),
  icc: z.boolean().default(true),
  ip: z.string().default(""),
  ipv6: z.boolean().default(false),
  "ip-forward": z.boolean().default(true),
  "ip-forward-no-drop": z.boolean().default(false),
  "ip-masq": z.boolean().default(true),
  iptables: z.boolean().default(true),
  ip6tables: z.boolean().default(true),
  "firewall-backend": z.enum(["", "iptables", "nftables"]).default(""),
  "allow-direct-routing": z.boolean().default(false),
  "userland-proxy": z.boolean().default(true),
  "publish-mode": z.enum(["forward", "input"]).default("forward"),
  "host-gateway-ip": Address.optional(),
  "host-gateway-ips": z.array(Address).max(2, "one IPv4 and one IPv6 address at most").default([]),
  "cluster-store": z
    .string()
    .regex(/^etcd:\/\/[^\s]+$/, "write etcd://HOST:PORT[,HOST:PORT][/PATH]")
    .optional(),
  "cluster-advertise": z.string().default(""),
  "cluster-store-opts": z.record(z.string(), z.string()).default({}),
};

const Values = z.object(NETWORK_VALUES);

/** The values in the words of the network room. */
export function networkSettings(config: z.infer<typeof Values>) {
  return {
    ...given({
      bip: config.bip,
      bip6: config.bip6,
      fixedCidr: config["fixed-cidr"],
      fixedCidrV6: config["fixed-cidr-v6"],
      defaultGateway: config["default-gateway"],
      defaultGatewayV6: config["default-gateway-v6"],
    }),
    name: config.bridge,
    mtu: config.mtu,
    icc: config.icc,
    ipv6: config.ipv6,
    ipForward: config["ip-forward"],
    ipForwardNoDrop: config["ip-forward-no-drop"],
    ipMasquerade: config["ip-masq"],
    iptables: config.iptables,
    ip6tables: config.ip6tables,
    firewallBackend: config["firewall-backend"],
    allowDirectRouting: config["allow-direct-routing"],
    userlandProxy: config["userland-proxy"],
    publishMode: config["publish-mode"],
    hostGatewayAddresses: [
      ...new Set([
        ...config["host-gateway-ips"],
        ...(config["host-gateway-ip"] ? [config["host-gateway-ip"]] : []),
      ]),
    ],
    defaultAddress: config.ip,
    addressPools: config["default-address-pools"],
    defaultNetworkOptions: config["default-network-opts"],
  };
}

type Given<Fields> = { [Key in keyof Fields]?: NonNullable<Fields[Key]> };

function given<Fields extends object>(fields: Fields): Given<Fields> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Given<Fields>;
}
