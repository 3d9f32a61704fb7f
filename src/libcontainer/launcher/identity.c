/* Capabilities, ids, limits and the filter: what the program may do, in the order the kernel demands. */
#include "step.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define SYS_ADMIN_BIT ((uint64_t)1 << CAP_SYS_ADMIN)

static int read_capabilities(uint64_t *permitted) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &head, data) < 0) return -errno;
  *permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
  return 0;
}

static int write_capabilities(uint64_t permitted, uint64_t effective) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {
      {.permitted = (uint32_t)permitted, .effective = (uint32_t)effective},
      {.permitted = (uint32_t)(permitted >> 32), .effective = (uint32_t)(effective >> 32)},
  };
  return (int)checked(syscall(SYS_capset, &head, data));
}

/* What a parent may have left behind that a program must not inherit. */
int reset_child(struct child *child) {
  struct sigaction normal = {.sa_handler = SIG_DFL};
  sigset_t none;
  for (int number = 1; number < NSIG; number++) sigaction(number, &normal, NULL);
  sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, NULL) < 0) return -errno;
  umask(0); /* Modes are meant as given, until the program's own mask is set. */
  /* A keyring of its own where the user's quota of keys allows. */
  syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL);
  return read_capabilities(&child->host_capabilities);
}

int step_rlimit(struct child *child, const struct step *step) {
  (void)child;
  int resource = (int)arg_number(step, 0);
  struct rlimit now, limit = {.rlim_cur = arg_number(step, 1), .rlim_max = arg_number(step, 2)};
  if (setrlimit(resource, &limit) == 0) return 0;
  if (errno != EPERM || !arg_number(step, 3) || getrlimit(resource, &now) < 0) return -errno;
  if (limit.rlim_max > now.rlim_max) limit.rlim_max = now.rlim_max;
  if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
  return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

static int drop_bounding(uint64_t kept) {
  for (unsigned long bit = 0; bit < 64; bit++) {
    if (kept >> bit & 1) continue;
    if (prctl(PR_CAPBSET_DROP, bit, 0, 0, 0) == 0) continue;
    if (errno == EINVAL) return 0; /* The kernel knows no capability from here on. */
    return -errno;
  }
  return 0;
}

/* Root's own at the next exec: no more than this. */
int limit_capabilities(const struct step *step) { return drop_bounding(arg_number(step, 0)); }

/* The program may reopen its own streams by name. The host's null device and what cannot be changed stay as they are. */
static void own_streams(uid_t uid) {
  struct stat stream;
  for (int fd = 0; fd < 3; fd++)
    if (fstat(fd, &stream) == 0 && stream.st_uid != uid && !(S_ISCHR(stream.st_mode) && stream.st_rdev == makedev(1, 3)))
      if (fchown(fd, uid, (gid_t)-1) < 0) continue;
}

/*
 * Without no_new_privs the filter needs CAP_SYS_ADMIN, so that one capability outlives the others until exec,
 * where the kernel computes the sets anew: from the bounding set for root, none for anybody else.
 */
int assume_identity(struct child *child) {
  uint64_t bounding = ~(uint64_t)0, permitted = child->host_capabilities;
  if (child->capabilities != NULL) {
    bounding = arg_number(child->capabilities, 0);
    permitted &= arg_number(child->capabilities, 1);
    int error = drop_bounding(bounding);
    if (error) return error;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL) return -errno;
  }
  if (child->has_user) {
    if (child->uid != 0) own_streams(child->uid);
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) return -errno;
    if (syscall(SYS_setgroups, child->group_count, child->groups) < 0 && child->group_count > 1) return -errno;
    if (syscall(SYS_setresgid, child->gid, child->gid, child->gid) < 0) return -errno;
    if (syscall(SYS_setresuid, child->uid, child->uid, child->uid) < 0) return -errno;
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0) return -errno;
    if (child->uid != 0) permitted = 0;
  }
  child->final_capabilities = permitted;
  if (child->seccomp != NULL && !child->no_new_privileges) permitted |= SYS_ADMIN_BIT & child->host_capabilities;
  int error = write_capabilities(permitted, permitted);
  if (error) return error;
  umask((mode_t)child->umask);
  /* Changing ids clears both, hence here. Whoever kills the supervisor ends the container with it. */
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return -errno;
  return 0;
}

int drop_capabilities(struct child *child) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -errno;
  return write_capabilities(child->final_capabilities, child->final_capabilities);
}

int install_seccomp(struct child *child) {
  uint32_t length;
  if (child->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -errno;
  if (child->seccomp == NULL) return 0;
  const uint8_t *program = arg_bytes(child->seccomp, 0, &length);
  struct sock_fprog filter = {.len = (unsigned short)(length / sizeof(struct sock_filter)),
                              .filter = (struct sock_filter *)(uintptr_t)program};
  if (length % sizeof(struct sock_filter) != 0 || length / sizeof(struct sock_filter) > BPF_MAXINSNS) return -EINVAL;
  return (int)checked(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, arg_number(child->seccomp, 1), &filter));
}
