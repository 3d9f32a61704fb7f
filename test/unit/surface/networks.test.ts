import { describeRows, type Row } from "./rows.ts";

/** One row for each feature of networks that must be there, with the tests that would fail without it. */
const ROWS: readonly Row[] = [
  {
    feature: "Default bridge docker0: veth pair, gateway, NAT masquerade",
    tests: {
      "test/system/network-reach.test.ts": ["a container has its address, route, loopback and name files"],
      "test/conformance/firewall-backend.ts": ["gives what leaves the host's address"],
    },
  },
  {
    feature: "User-defined bridge with DNS by name and alias at 127.0.0.11",
    tests: {
      "test/system/network-dns.test.ts": [
        "containers of one network know each other by name, alias, short id, name.network and address",
        "are asked of the container's own servers, over TCP when they are long",
        "junk over UDP and TCP does no harm",
      ],
      "test/system/network-clients.test.ts": ["makes networks, connects, looks, disconnects and removes"],
    },
  },
  {
    feature: "Network-scoped alias shared by many containers = round robin",
    tests: { "test/system/networks.test.ts": ["an alias of several containers is all of them"] },
  },
  {
    feature: "connect/disconnect a running container",
    tests: {
      "test/system/networks-live.test.ts": ["comes to networks and leaves them"],
      "test/system/network-connect.test.ts": ["what runs joins and leaves, and the way out"],
      "test/system/networks.test.ts": ["the default route goes by gw-priority"],
    },
  },
  {
    feature: "links with env sharing on default bridge",
    tests: {
      "test/system/network-dns.test.ts": [
        "on the default bridge are lines in hosts, variables and names, and follow the linked container",
        "on a user-defined network are aliases for the linking container alone",
      ],
      "test/system/networks.test.ts": ["a link on the default bridge is a line in hosts"],
    },
  },
  {
    feature: "host, none",
    tests: {
      "test/system/network-modes.test.ts": [
        "none has the loopback alone",
        "host is the daemon's own network",
      ],
      "test/unit/jobs/container-create.test.ts": ["warns of ports that nobody will publish"],
    },
  },
  {
    feature: "container:<id> sharing",
    tests: { "test/system/network-modes.test.ts": ["container is the other's, with its ports and names"] },
  },
  {
    feature: "overlay (VXLAN, attachable, encrypted)",
    tests: {
      "test/system/overlay.test.ts": [
        "a network made on one host is on all, and its containers reach each other by name and address",
        "while the store is away all goes on",
      ],
      "test/system/host/overlay.test.ts": ["is ESP on the wire, and never plain"],
      "test/unit/network/drivers/overlay.test.ts": ["VXLAN ids are given from Docker's first on"],
    },
  },
  {
    feature: "macvlan, ipvlan l2/l3",
    tests: {
      "test/system/host/upper.test.ts": [
        "containers are the neighbours of the host's neighbours",
        "mode passthru takes the whole link",
      ],
    },
  },
  {
    feature: "Network plugins",
    tests: {
      "test/system/plugins.test.ts": ["a plugin that is a program"],
      "test/system/network-plugins.test.ts": [
        "a plugin's network has its links, addresses and routes in containers, and can be reached",
        "of a plugin that is gone, containers end, and its networks go by force alone",
      ],
    },
  },
  {
    feature: "IPAM: subnet, gateway, ip-range, aux-address, default-address-pools",
    tests: {
      "test/system/networks.test.ts": ["get subnets of the daemon's pools, the one used last again last"],
      "test/system/network-connect.test.ts": [
        "addresses that are in use, outside, or another container's are refused",
      ],
      "test/system/networks-create.test.ts": ["with every option makes that bridge, gives those addresses"],
      "test/unit/cli/networks.test.ts": ["bunker network create"],
    },
  },
  {
    feature: "IPv6, ip6tables, NAT66, `--ipv4=false`",
    tests: {
      "test/system/networks.test.ts": ["have IPv6 beside IPv4 or alone"],
      "test/conformance/firewall-backend.ts": ["gives what leaves the host's address, of both families"],
    },
  },
  {
    feature: "Port publishing: DNAT + userland proxy",
    tests: {
      "test/system/network-reach.test.ts": [
        "a published port is reached from loopback, own address, neighbour",
        "UDP is carried by both families",
      ],
      "test/system/network-ports.test.ts": ["without the firewall ports go through the relay"],
    },
  },
  {
    feature:
      "Firewall: iptables chains DOCKER, DOCKER-USER, DOCKER-FORWARD, nftables backend, firewalld reload",
    tests: {
      "test/conformance/firewall-backend.ts": [
        "a rule of the user's comes first, and outlives all of ours",
        "sees what others remove and not what it does itself",
      ],
    },
  },
  {
    feature: "`net.ipv4.conf.all.forwarding`, `FORWARD ACCEPT`",
    tests: {
      "test/system/network-reach.test.ts": ["a FORWARD policy of DROP hinders neither published ports"],
      "test/system/networks.test.ts": ["bunker network doctor speaks of forwarding"],
    },
  },
  {
    feature: "Isolation between bridges, icc=false, internal networks",
    tests: {
      "test/conformance/firewall-backend.ts": [
        "closes what is not published, however it is routed, and bridges to one another",
        "an internal bridge has no way out and none in",
      ],
      "test/system/network-reach.test.ts": [
        "without icc containers reach one another's published ports only",
      ],
    },
  },
  {
    feature: "resolv.conf, hosts, hostname files",
    tests: {
      "test/system/network-modes.test.ts": ["hosts, hostname and resolv.conf say what was asked"],
      "test/unit/network/files.test.ts": ["refuses host-gateway where there is none"],
    },
  },
  {
    feature: "network inspect lists endpoints of running containers only",
    tests: { "test/system/networks.test.ts": ["are listed with running containers only"] },
  },
  {
    feature: "network prune, filters, labels, duplicates refused",
    tests: {
      "test/system/networks.test.ts": [
        "are pruned by label and age",
        "are refused a name or a subnet that is taken",
      ],
    },
  },
  {
    feature: "Rootless network: slirp4netns, pasta, vpnkit, bypass4netns",
    missing: "the daemon needs root",
  },
];

describeRows(ROWS, "## 8. Network");
