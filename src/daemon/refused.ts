/** Settings of Docker's that have no effect here, each with the reason: they are refused, never ignored. */
export const REFUSED: Readonly<Record<string, string>> = {
  builder: "there is no builder to configure",
  containerd: "bunker runs containers itself and uses no containerd",
  "network-control-plane-mtu": "there is no swarm",
  rootless: "it needs root",
  runtimes: "there is bunker's own runtime alone; GPUs come by their vendors' CDI files (--gpus)",
  "add-runtime": "there is bunker's own runtime alone; GPUs come by their vendors' CDI files (--gpus)",
  "storage-opts": "the storage drivers have no options",
  "swarm-default-advertise-addr": "there is no swarm",
  "userland-proxy-path": "bunker's launcher is the proxy",
  "userns-remap": "user namespaces for all containers are not built",
};

/** The flags of those whose flag is not the key itself, as dockerd writes them. */
export const REFUSED_FLAGS: Readonly<Record<string, string>> = {
  "storage-opt": "storage-opts",
};

/** Why this key or flag has no effect here; undefined for one that Docker does not know either. */
export function refusal(name: string): string | undefined {
  const key = Object.hasOwn(REFUSED_FLAGS, name) ? (REFUSED_FLAGS[name] ?? name) : name;
  return Object.hasOwn(REFUSED, key) ? REFUSED[key] : undefined;
}
