/** What to hand to mount(2) to see a file system; `bind` for a plain directory. Options may exceed one page. */
export interface MountSpec {
  readonly type: "overlay" | "bind" | string;
  readonly source: string;
  /** MS_* flags. */
  readonly flags: number;
  /** `key=value` options; for overlay, `lowerdir` may be given as many `lowerdir+` entries, topmost first. */
  readonly options: readonly string[];
  /** Where relative paths among the options start (the launcher changes into it for the call). */
  readonly directory?: string;
}

/**
 * One rtnetlink request, encoded in TypeScript. `netns` is where the socket is opened: the host's
 * namespace, the child's, or that of a path. `patches` are 32-bit fields that only the launcher can know.
 */
export interface NetlinkStep {
  readonly op: "netlink";
  readonly netns: "host" | "child" | string;
  readonly message: Uint8Array;
  readonly patches: readonly NetlinkPatch[];
  /** errno values that count as success (EEXIST when making a thing that may be there). */
  readonly tolerate: readonly number[];
  /** For the error message: "make the veth pair vethab12". */
  readonly purpose: string;
}

export type NetlinkPatch =
  /** The index of the link with this name, in the namespace of the socket. */
  | { readonly offset: number; readonly kind: "index"; readonly name: string }
  /** A descriptor of the child's network namespace (for IFLA_NET_NS_FD). */
  | { readonly offset: number; readonly kind: "netns" };
