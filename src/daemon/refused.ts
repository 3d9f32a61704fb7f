/** Settings of Docker's that have no effect here, each with the reason: they are refused, never ignored. */
export const REFUSED: Readonly<Record<string, string>> = {
  builder: "there is no builder to configure",
  containerd: "bunker runs containers itself and uses no containerd",
  "network-control-plane-mtu": "there is no swarm",
  rootless: "it needs root",
  "swarm-default-advertise-addr": "there is no swarm",
  "userland-proxy-path": "bunker's launcher is the proxy",
};

/** Why this key or flag has no effect here; undefined for one that Docker does not know either. */
export function refusal(name: string): string | undefined {
  return Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined;
}
