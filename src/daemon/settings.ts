/** One setting of the daemon: a key of daemon.json and a flag. Source: Docker's dockerd reference, "Daemon configuration file". */
export interface Setting {
  readonly key: string;
  /** Without dashes; a list is one flag repeated. Absent where only the file may set it. */
  readonly flag?: string;
  readonly short?: string;
  readonly kind: "text" | "number" | "boolean" | "list" | "pairs" | "pools" | "maps";
  readonly help: string;
  /** SIGHUP changes it in a running daemon. */
  readonly isReloadable?: true;
}

/** Every setting that takes effect. What is not here is refused by name, never ignored. */
export const SETTINGS = [
  { key: "data-root", flag: "data-root", kind: "text", help: "Folder of images, containers and volumes" },
  { key: "exec-root", flag: "exec-root", kind: "text", help: "Folder of run-time state, on tmpfs" },
  { key: "pidfile", flag: "pidfile", short: "p", kind: "text", help: "File that holds the daemon's pid" },
  {
    key: "hosts",
    flag: "host",
    short: "H",
    kind: "list",
    help: "Where to listen: unix://PATH, tcp://ADDRESS:PORT, or fd:// under systemd",
  },
  { key: "group", flag: "group", short: "G", kind: "text", help: "Group that may use the unix socket" },
  {
    key: "insecure-tcp",
    flag: "insecure-tcp",
    kind: "boolean",
    help: "Listen on tcp:// without TLS: whoever can connect is root on this host",
  },
  { key: "tls", flag: "tls", kind: "boolean", help: "Use TLS on tcp://; implied by --tlsverify" },
  {
    key: "tlsverify",
    flag: "tlsverify",
    kind: "boolean",
    help: "Use TLS, and let in only clients whose certificate the CA has signed",
  },
  { key: "tlscacert", flag: "tlscacert", kind: "text", help: "Certificate of the CA that signs clients'" },
  { key: "tlscert", flag: "tlscert", kind: "text", help: "Certificate of this daemon" },
  { key: "tlskey", flag: "tlskey", kind: "text", help: "Key of this daemon" },
  { key: "bridge", flag: "bridge", short: "b", kind: "text", help: "Name of the default bridge" },
  { key: "bip", flag: "bip", kind: "text", help: "Address and prefix length of the default bridge" },
  {
    key: "fixed-cidr",
    flag: "fixed-cidr",
    kind: "text",
    help: "Range of the default bridge's container addresses",
  },
  { key: "mtu", flag: "mtu", kind: "number", help: "MTU of the default bridge" },
  { key: "icc", flag: "icc", kind: "boolean", help: "Let containers of the default bridge reach each other" },
  { key: "ip", flag: "ip", kind: "text", help: "Host address of published ports that name none" },
  { key: "ip-forward", flag: "ip-forward", kind: "boolean", help: "Turn on IP forwarding" },
  { key: "ip-masq", flag: "ip-masq", kind: "boolean", help: "Masquerade what leaves the default bridge" },
  { key: "iptables", flag: "iptables", kind: "boolean", help: "Add firewall rules" },
  {
    key: "ipv6",
    flag: "ipv6",
    kind: "boolean",
    help: "Give containers of the default bridge IPv6 addresses",
  },
  { key: "ip6tables", flag: "ip6tables", kind: "boolean", help: "Add IPv6 firewall rules" },
  { key: "bip6", flag: "bip6", kind: "text", help: "IPv6 address and prefix length of the default bridge" },
  {
    key: "fixed-cidr-v6",
    flag: "fixed-cidr-v6",
    kind: "text",
    help: "Range of the default bridge's IPv6 container addresses",
  },
  {
    key: "default-gateway",
    flag: "default-gateway",
    kind: "text",
    help: "Gateway of the default bridge's containers, where it is not the bridge",
  },
  {
    key: "default-gateway-v6",
    flag: "default-gateway-v6",
    kind: "text",
    help: "IPv6 gateway of the default bridge's containers, where it is not the bridge",
  },
  {
    key: "ip-forward-no-drop",
    flag: "ip-forward-no-drop",
    kind: "boolean",
    help: "Leave the FORWARD policy as it is when IP forwarding is turned on",
  },
  {
    key: "firewall-backend",
    flag: "firewall-backend",
    kind: "text",
    help: "iptables or nftables; what the host has when not given",
  },
  {
    key: "allow-direct-routing",
    flag: "allow-direct-routing",
    kind: "boolean",
    help: "Let other hosts reach published ports at the containers' own addresses",
  },
  {
    key: "userland-proxy",
    flag: "userland-proxy",
    kind: "boolean",
    help: "Relay connections to published ports that the kernel cannot translate",
  },
  {
    key: "publish-mode",
    flag: "publish-mode",
    kind: "text",
    help: "forward, as Docker does, or input: published ports obey the host's INPUT rules",
  },
  {
    key: "host-gateway-ips",
    flag: "host-gateway-ip",
    kind: "list",
    help: "What host-gateway in --add-host stands for",
  },
  { key: "host-gateway-ip", kind: "text", help: "The older key for one of host-gateway-ips" },
  {
    key: "default-address-pools",
    flag: "default-address-pool",
    kind: "pools",
    help: "Pool of subnets for new networks: base=10.0.0.0/8,size=24",
  },
  {
    key: "default-network-opts",
    flag: "default-network-opt",
    kind: "maps",
    help: "Option of new networks of a driver: bridge=com.docker.network.driver.mtu=1400",
  },
  {
    key: "cluster-store",
    flag: "cluster-store",
    kind: "text",
    help: "Store that hosts share, for overlay networks: etcd://HOST:PORT[,HOST:PORT][/PATH]",
  },
  {
    key: "cluster-advertise",
    flag: "cluster-advertise",
    kind: "text",
    help: "Address or interface at which other hosts reach this one",
  },
  {
    key: "cluster-store-opts",
    flag: "cluster-store-opt",
    kind: "pairs",
    help: "Options of the store: discovery.ttl, kv.cacertfile, kv.certfile, kv.keyfile, kv.path",
  },
  {
    key: "live-restore",
    flag: "live-restore",
    kind: "boolean",
    help: "Always so: containers outlive the daemon",
    isReloadable: true,
  },
  {
    key: "exec-opts",
    flag: "exec-opt",
    kind: "list",
    help: "native.cgroupdriver=cgroupfs, which is always so",
  },
  { key: "dns", flag: "dns", kind: "list", help: "Name servers of containers" },
  { key: "dns-search", flag: "dns-search", kind: "list", help: "Search domains of containers" },
  { key: "dns-opts", flag: "dns-opt", kind: "list", help: "Resolver options of containers" },
  {
    key: "registry-mirrors",
    flag: "registry-mirror",
    kind: "list",
    help: "Mirrors of Docker Hub, tried in order",
    isReloadable: true,
  },
  {
    key: "insecure-registries",
    flag: "insecure-registry",
    kind: "list",
    help: "Registries that may be spoken to without TLS",
    isReloadable: true,
  },
  {
    key: "registry-certs",
    flag: "registry-certs",
    kind: "list",
    help: "Folders of registries' certificates, as /etc/docker/certs.d",
    isReloadable: true,
  },
  {
    key: "max-concurrent-downloads",
    flag: "max-concurrent-downloads",
    kind: "number",
    help: "Layers downloaded at once",
    isReloadable: true,
  },
  {
    key: "storage-driver",
    flag: "storage-driver",
    short: "s",
    kind: "text",
    help: "Graph driver: overlay2 or vfs",
  },
  {
    key: "cgroup-parent",
    flag: "cgroup-parent",
    kind: "text",
    help: "Group below which containers get theirs",
  },
  {
    key: "cdi-spec-dirs",
    flag: "cdi-spec-dir",
    kind: "list",
    help: "Folder of vendors' CDI files (default /etc/cdi and /var/run/cdi); an empty one alone: no CDI",
  },
  {
    key: "features",
    flag: "feature",
    kind: "pairs",
    help: "cdi=false switches devices by CDI off",
    isReloadable: true,
  },
  {
    key: "default-shm-size",
    flag: "default-shm-size",
    kind: "text",
    help: "Size of /dev/shm",
    isReloadable: true,
  },
  {
    key: "default-stop-timeout",
    flag: "default-stop-timeout",
    kind: "number",
    help: "Seconds between SIGTERM and SIGKILL",
    isReloadable: true,
  },
  {
    key: "no-new-privileges",
    flag: "no-new-privileges",
    kind: "boolean",
    help: "Set no_new_privs in every container",
  },
  { key: "init", flag: "init", kind: "boolean", help: "Run a small init as every container's first process" },
  {
    key: "log-driver",
    flag: "log-driver",
    kind: "text",
    help: "Log driver of containers: json-file, local, journald, syslog or none",
  },
  {
    key: "log-opts",
    flag: "log-opt",
    kind: "pairs",
    help: "Options of the log driver, max-size=10m and the like",
  },
  { key: "labels", flag: "label", kind: "list", help: "Labels of this daemon", isReloadable: true },
  {
    key: "log-level",
    flag: "log-level",
    short: "l",
    kind: "text",
    help: "debug, info, warn, error or fatal",
  },
  {
    key: "debug",
    flag: "debug",
    short: "D",
    kind: "boolean",
    help: "Same as --log-level debug",
    isReloadable: true,
  },
] as const satisfies readonly Setting[];

export type SettingKey = (typeof SETTINGS)[number]["key"];

/** Storage drivers that were, and what took their place. */
export const REPLACED_DRIVERS: Readonly<Record<string, string>> = {
  aufs: "aufs is not in current kernels; use overlay2, which replaced it",
  devicemapper: "devicemapper was removed from Docker in version 25; use overlay2, which replaced it",
  overlay: "overlay was removed from Docker in version 24; use overlay2, which replaced it",
};
