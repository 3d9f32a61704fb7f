import type { Capability } from "../plan.ts";
import type { SeccompProfile } from "../spec.ts";

type Rule = SeccompProfile["syscalls"][number];

/** Calls that every container may make, by subject. Those of other architectures are passed over when compiling. */
const ALWAYS: readonly string[] = [
  // Files and directories.
  `_llseek access chdir chmod close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
  fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fcntl fcntl64 fdatasync
  flock fsync ftruncate ftruncate64 getcwd getdents getdents64 inotify_add_watch inotify_init
  inotify_init1 inotify_rm_watch ioctl link linkat lseek mkdir mkdirat mknod mknodat name_to_handle_at
  open openat openat2 pipe pipe2 readahead readlink readlinkat rename renameat renameat2 rmdir symlink
  symlinkat sync sync_file_range syncfs truncate truncate64 umask unlink unlinkat`,
  // Reading and writing.
  `io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit pread64 preadv
  preadv2 pwrite64 pwritev pwritev2 read readv sendfile sendfile64 splice tee vmsplice write writev`,
  // What is known of a file.
  `chown chown32 fchown fchown32 fchownat fgetxattr flistxattr fremovexattr fsetxattr fstat fstat64
  fstatat64 fstatfs fstatfs64 futimesat getxattr getxattrat lchown lchown32 lgetxattr listmount listxattr
  listxattrat llistxattr lremovexattr lsetxattr lstat lstat64 newfstatat removexattr removexattrat
  setxattr setxattrat stat stat64 statfs statfs64 statmount statx utime utimensat utimensat_time64 utimes`,
  // Waiting for many.
  `_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
  epoll_wait_old eventfd eventfd2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd
  signalfd4`,
  // Memory.
  `brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap
  mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect
  process_mrelease remap_file_pages`,
  // Processes and threads.
  `execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake
  get_robust_list get_thread_area getpgid getpgrp getpid getppid getsid gettid kill landlock_add_rule
  landlock_create_ruleset landlock_restrict_self pause pidfd_open pidfd_send_signal prctl restart_syscall
  rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
  rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo seccomp set_robust_list set_thread_area
  set_tid_address setpgid setsid sigaltstack sigprocmask sigreturn tgkill tkill uretprobe vfork wait4
  waitid waitpid`,
  // Identities and limits.
  `capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid
  getresgid32 getresuid getresuid32 getrlimit getrusage getuid getuid32 prlimit64 setfsgid setfsgid32
  setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32
  setresuid setresuid32 setreuid setreuid32 setrlimit setuid setuid32 ugetrlimit`,
  // Scheduling.
  `getcpu getpriority ioprio_get ioprio_set sched_get_priority_max sched_get_priority_min sched_getaffinity
  sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
  sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield setpriority`,
  // Clocks and timers.
  `adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
  clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time
  timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
  timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times`,
  // Sockets.
  `accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg
  recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair`,
  // System V and POSIX messages.
  `ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
  mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop
  semtimedop_time64 shmat shmctl shmdt shmget`,
  // The machine.
  `cachestat getrandom riscv_hwprobe sysinfo uname`,
];

/** Since Linux 4.8 a filter sees a traced program's changed call again, and tracing one's own is harmless. */
const SINCE_4_8 = "process_vm_readv process_vm_writev ptrace";

/** Calls that one architecture alone has, or that are harmless on it alone. */
const BY_ARCHITECTURE: Readonly<Record<string, string>> = {
  x64: "arch_prctl modify_ldt",
  arm64: "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
};

/** Calls that come with a capability: what it permits is then the kernel's to judge. */
const BY_CAPABILITY: readonly (readonly [Capability, string])[] = [
  ["CAP_DAC_READ_SEARCH", "open_by_handle_at"],
  [
    "CAP_SYS_ADMIN",
    `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
    lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
    sethostname setns syslog umount umount2 unshare`,
  ],
  ["CAP_SYS_BOOT", "reboot"],
  ["CAP_SYS_CHROOT", "chroot"],
  ["CAP_SYS_MODULE", "delete_module init_module finit_module"],
  ["CAP_SYS_PACCT", "acct"],
  ["CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"],
  ["CAP_SYS_RAWIO", "iopl ioperm"],
  ["CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"],
  ["CAP_SYS_TTY_CONFIG", "vhangup"],
  ["CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"],
  ["CAP_SYSLOG", "syslog"],
  ["CAP_BPF", "bpf"],
  ["CAP_PERFMON", "perf_event_open"],
];

/** Address families next to those that are kept away: AF_ALG is 38 and AF_VSOCK 40, both with a history of ways out. */
const SOCKET_FAMILIES = [
  { op: "SCMP_CMP_LT", value: 38n },
  { op: "SCMP_CMP_EQ", value: 39n },
  { op: "SCMP_CMP_GT", value: 40n },
];

/** PER_LINUX, PER_LINUX32, both with UNAME26, and the question which one is in force. Source: personality(2). */
const PERSONALITIES = [0n, 8n, 0x20000n, 0x20008n, 0xffff_ffffn];

/** CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET and NEWNS. Source: clone(2). */
const NAMESPACE_FLAGS = 0x7e02_0000n;

const EPERM = 1;
const ENOSYS = 38;

const words = (text: string) => text.trim().split(/\s+/);
const allow = (names: string, args: Rule["args"] = []): Rule => ({
  names: words(names),
  action: "SCMP_ACT_ALLOW",
  args,
});
const when = (op: string, value: bigint, valueTwo = 0n): Rule["args"] => [{ index: 0, op, value, valueTwo }];

/** What the default profile depends on besides the capabilities. `kernel` is `[major, minor]`. */
export interface ProfileHost {
  readonly architecture: string;
  readonly kernel: readonly [number, number];
}

/**
 * The default profile for a container with these capabilities, equal in effect to Docker's of June 2026: what is
 * not named fails with EPERM. Without CAP_SYS_ADMIN, clone makes no namespaces, and clone3, whose flags lie in
 * memory where no filter can see them, does not exist, so that programs fall back to clone.
 */
export function defaultProfile(capabilities: ReadonlySet<Capability>, host: ProfileHost): SeccompProfile {
  const [major, minor] = host.kernel;
  const isSince48 = major > 4 || (major === 4 && minor >= 8);
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrno: EPERM,
    syscalls: [
      ...ALWAYS.map((names) => allow(names)),
      ...(isSince48 ? [allow(SINCE_4_8)] : []),
      ...SOCKET_FAMILIES.map(({ op, value }) => allow("socket", when(op, value))),
      ...PERSONALITIES.map((value) => allow("personality", when("SCMP_CMP_EQ", value))),
      ...Object.entries(BY_ARCHITECTURE)
        .filter(([architecture]) => architecture === host.architecture)
        .map(([, names]) => allow(names)),
      ...BY_CAPABILITY.filter(([capability]) => capabilities.has(capability)).map(([, names]) =>
        allow(names),
      ),
      ...(capabilities.has("CAP_SYS_ADMIN") ? [] : WITHOUT_SYS_ADMIN),
    ],
  };
}

const WITHOUT_SYS_ADMIN: readonly Rule[] = [
  allow("clone", when("SCMP_CMP_MASKED_EQ", NAMESPACE_FLAGS)),
  { names: ["clone3"], action: "SCMP_ACT_ERRNO", errno: ENOSYS, args: [] },
];
