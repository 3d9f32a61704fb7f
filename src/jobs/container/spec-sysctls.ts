import type { HostSpec } from "#container";
import { Fault } from "#errors";

/** Keys of their own in an IPC namespace. Source: ipc_namespaces(7). */
const IPC_KEYS = new Set(["kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem"]);

/** Whether containers have a namespace of their own for what a key sets; the reason why not otherwise. */
function refusal(key: string, host: HostSpec): string | undefined {
  const isIpc = IPC_KEYS.has(key) || key.startsWith("kernel.shm") || key.startsWith("fs.mqueue.");
  if (key === "kernel.domainname" || key === "kernel.hostname")
    return host.utsMode === "host" ? "the container uses the host's UTS namespace" : undefined;
  if (isIpc) return host.ipcMode === "host" ? "the container uses the host's IPC namespace" : undefined;
  if (key.startsWith("net."))
    return host.networkMode === "host" ? "the container uses the host's network" : undefined;
  return "it is not in a separate kernel namespace, so it would change the host";
}

/** Only what belongs to the container may be set. Throws `invalid` naming key and reason. */
export function checkSysctls(host: HostSpec): void {
  for (const [key, value] of Object.entries(host.sysctls)) {
    const dotted = normal(key);
    const reason =
      /^[A-Za-z0-9_.:*@-]+$/.test(dotted) && !dotted.includes("..")
        ? refusal(dotted, host)
        : "it is no name of a kernel setting";
    if (reason !== undefined)
      throw new Fault("invalid", `Cannot set sysctl "${key.slice(0, 128)}": ${reason}`);
    if (value.includes("\0") || value.includes("\n"))
      throw new Fault(
        "invalid",
        `Cannot set sysctl "${key.slice(0, 128)}": the value has a line break or a NUL`,
      );
  }
}

/** `net/ipv4/ip_forward` is another spelling, used where names of interfaces have dots. */
function normal(key: string): string {
  return key.includes("/") && !key.includes(".") ? key.replaceAll("/", ".") : key;
}

/** In a user namespace not all of those groups are known. */
const OWN_USERS_NETWORK: Readonly<Record<string, string>> = { "net.ipv4.ip_unprivileged_port_start": "0" };
/** With a network of its own a container may bind any port and send pings without a capability. */
const OWN_NETWORK: Readonly<Record<string, string>> = {
  ...OWN_USERS_NETWORK,
  "net.ipv4.ping_group_range": "0 2147483647",
};

/** Defaults, what the network wants, and what the user asks for, which counts most. */
export function runtimeSysctls(
  host: HostSpec,
  context: {
    readonly hasOwnNetwork: boolean;
    readonly network: Readonly<Record<string, string>>;
    readonly hasOwnUsers: boolean;
  },
): Readonly<Record<string, string>> {
  const asked = Object.fromEntries(Object.entries(host.sysctls).map(([key, value]) => [normal(key), value]));
  const own = context.hasOwnUsers ? OWN_USERS_NETWORK : OWN_NETWORK;
  return { ...(context.hasOwnNetwork ? { ...own, ...context.network } : {}), ...asked };
}
