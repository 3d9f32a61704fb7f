import type { MountSpec, NetlinkStep } from "#oci";

/**
 * The launch plan: the flat list of steps the launcher obeys, in order, stopping at the first that fails.
 * Every `target` is a path inside the container's root and is resolved there by descriptor
 * (openat2 with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS); every other path is the host's.
 */
export type Plan = readonly Step[];

export type Namespace = "mnt" | "pid" | "net" | "ipc" | "uts" | "user" | "cgroup" | "time";
export type Capability = `CAP_${string}`;

/** Lines of a uid_map and a gid_map from owners on disk to those that are seen; empty leaves owners alone. */
export interface OwnerLines {
  readonly uid: string;
  readonly gid: string;
}

export type Step = HostStep | ChildStep;

/** Run by the supervisor on the host, before and (where it says so) after the clone. */
export type HostStep =
  /** Makes the group and its missing parents; what was made is removed when the container has ended. */
  | { readonly op: "cgroup"; readonly path: string }
  /** The container's first process is in this group before it runs anything (cgroup.procs, v1 and v2). */
  | { readonly op: "cgroup-join"; readonly path: string }
  /** Writes a host file (a cgroup setting); `optional` ones may be absent. */
  | { readonly op: "write"; readonly path: string; readonly value: string; readonly optional?: boolean }
  /** Loads BPF_PROG_TYPE_CGROUP_DEVICE instructions and attaches them to a v2 group. */
  | { readonly op: "device-filter"; readonly path: string; readonly program: Uint8Array }
  /** Binds a host port, without listening, and holds it until the container ends, so that nobody else takes it. */
  | {
      readonly op: "reserve-port";
      readonly family: 4 | 6;
      readonly protocol: "tcp" | "udp" | "sctp";
      readonly address: string;
      readonly port: number;
    }
  /**
   * Joins namespaces that exist (`/proc/PID/ns/net`, …) in the child, before the new ones are made; the user namespace
   * that owns the one at the path (`/proc/PID/ns/pid`).
   */
  | { readonly op: "join"; readonly namespace: Namespace; readonly path: string }
  /**
   * Lines of /proc/PID/uid_map and gid_map of the user namespace that the child is in: one that the clone makes, which
   * gets them, or one that it joins.
   */
  | { readonly op: "id-map"; readonly uid: string; readonly gid: string }
  /** Makes the child. Steps that follow a clone and are not host steps run in the child. */
  | { readonly op: "clone"; readonly namespaces: readonly Namespace[] }
  /** Sends one rtnetlink message, after the clone, and awaits its acknowledgement. */
  | NetlinkStep
  /**
   * In a plan for an OCI runtime, whose `root` is mounted in the bundle and whose `user` is looked up by the supervisor:
   * a file of the bundle, JSON in three pieces. Between the first two come the user's identity, between the last two,
   * where `addsHome` says so, one more variable for the environment.
   */
  | {
      readonly op: "bundle";
      readonly name: string;
      readonly pieces: BundlePieces;
      readonly addsHome: boolean;
    }
  /**
   * Runs an OCI runtime in the state directory. `create` takes the place of the clone, and `namespaces` are those that
   * it makes; `start` and `exec` wait for the daemon's word; `delete` comes when the container has ended.
   */
  | {
      readonly op: "runtime";
      readonly verb: "create" | "start" | "delete" | "exec";
      readonly namespaces: readonly Namespace[];
      readonly args: readonly string[];
    };

export type BundlePieces = readonly [before: string, between: string, after: string];

/** Run in the container's first process, after the clone. */
export type ChildStep =
  /**
   * Gives all mounts this propagation (MS_PRIVATE | MS_REC when absent; MS_SLAVE or MS_SHARED when a bind is to
   * follow the host or be seen by it), mounts the root's file system (or binds a directory) without propagation to
   * anywhere, and opens it as the root. `readonly` takes effect at the pivot, when all targets have been made.
   */
  | {
      readonly op: "root";
      readonly mount: MountSpec;
      readonly readonly: boolean;
      readonly propagation?: number;
      readonly owners?: OwnerLines;
    }
  /**
   * A new file system inside the root. The target is made when missing, as a directory. A tmpfs without a mode among
   * its data takes that of the directory it covers.
   */
  | {
      readonly op: "mount";
      readonly type: string;
      readonly source: string;
      readonly target: string;
      readonly flags: number;
      readonly data: string;
      readonly mode?: number;
    }
  /**
   * Binds a host path inside the root; `recursiveReadonly` by mount_setattr. A missing target is made, of the source's
   * kind. `subpath` is found below the source by descriptor (openat2 with RESOLVE_BENEATH); empty is the source itself.
   */
  | {
      readonly op: "bind";
      readonly source: string;
      readonly target: string;
      readonly recursive: boolean;
      readonly readonly: boolean;
      readonly recursiveReadonly: boolean;
      /** MS_NOSUID and the like. */
      readonly flags: number;
      /** MS_PRIVATE, MS_SLAVE or MS_SHARED; with MS_REC also of what is mounted below the source. */
      readonly propagation: number;
      readonly subpath: string;
      readonly owners: OwnerLines;
    }
  /** An image's tree, or a part of it, read-only. A missing target is made, of the part's kind. */
  | {
      readonly op: "image";
      readonly mount: MountSpec;
      readonly target: string;
      readonly subpath: string;
      readonly owners?: OwnerLines;
    }
  | { readonly op: "mkdir"; readonly target: string; readonly mode: number }
  | {
      readonly op: "mknod";
      readonly target: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly op: "symlink"; readonly target: string; readonly to: string }
  /** Files are covered by the proven null device, directories by an empty read-only tmpfs; absent ones are skipped. */
  | { readonly op: "mask"; readonly target: string }
  | { readonly op: "readonly"; readonly target: string }
  /**
   * Pivots into the root and detaches the old one, then gives the root mount alone (the binds below keep theirs) this
   * propagation: private when absent.
   */
  | { readonly op: "pivot"; readonly propagation?: number }
  | { readonly op: "console" }
  | { readonly op: "hostname"; readonly name: string }
  | { readonly op: "domainname"; readonly name: string }
  /** Through a private handle on procfs: `net.ipv4.ip_forward` → value. */
  | { readonly op: "sysctl"; readonly key: string; readonly value: string }
  | {
      readonly op: "rlimit";
      readonly resource: number;
      readonly soft: bigint;
      readonly hard: bigint;
      readonly optional?: boolean;
    }
  | { readonly op: "oom-score"; readonly adjust: number }
  | { readonly op: "umask"; readonly mask: number }
  | { readonly op: "no-new-privileges" }
  /** An AppArmor profile, in force from the exec on. */
  | { readonly op: "apparmor"; readonly profile: string }
  /**
   * `user[:group]`, names or numbers, looked up in the container's own /etc/passwd and /etc/group (regular
   * files, at most 1 MiB, never blocking); sets HOME unless the environment has it, and the groups.
   */
  | { readonly op: "user"; readonly user: string; readonly groups: readonly string[] }
  /** 64-bit masks; inheritable and ambient sets are emptied. The host's own bounding set limits all of them. */
  | {
      readonly op: "capabilities";
      readonly bounding: bigint;
      readonly permitted: bigint;
      readonly effective: bigint;
    }
  /** Made when missing, owned by root; checked to lie inside the root after the chdir. */
  | { readonly op: "chdir"; readonly target: string; readonly make: boolean }
  /** An array of struct sock_filter. Installed last. */
  | { readonly op: "seccomp"; readonly program: Uint8Array; readonly flags: number }
  /** argv[0] is looked up in PATH of `env`, inside the container. */
  | {
      readonly op: "exec";
      readonly args: readonly string[];
      readonly env: readonly string[];
      readonly init: boolean;
    };
