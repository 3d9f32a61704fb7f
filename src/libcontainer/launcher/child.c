/* The container's first process until it becomes the program: one step after another, and a word to the supervisor. */
#include "step.h"
#include <grp.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

int tell(int sync, const struct message *message, const int *fds, size_t count) {
  char space[CMSG_SPACE(2 * sizeof(int))] = {0};
  struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof *message};
  struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
  if (count > 0) {
    head.msg_control = space;
    head.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *rider = CMSG_FIRSTHDR(&head);
    rider->cmsg_level = SOL_SOCKET;
    rider->cmsg_type = SCM_RIGHTS;
    rider->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(rider), fds, count * sizeof(int));
  }
  return sendmsg(sync, &head, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Waits until the supervisor has done so much. When it is gone, so is the container. */
void await_grant(struct child *child, enum grant grant) {
  while (child->granted < grant) {
    uint8_t byte;
    ssize_t got = read(child->sync, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) _exit(1);
    child->granted = (enum grant)byte;
  }
}

/* The root of a new cgroup namespace is the group its maker is in, hence not by the clone. */
static int join_groups(struct child *child) {
  int error = 0;
  for (size_t i = 1; !error && i < child->plan->count; i++) {
    const struct step *step = &child->plan->steps[i];
    if (step->op != OP_CGROUP_JOIN || step == child->into) continue;
    child->step = step;
    error = join_group(arg_string(step, 0));
  }
  if (error || !child->late_cgroup_namespace) return error;
  return unshare(CLONE_NEWCGROUP) < 0 ? -errno : 0;
}

static int step_hostname(struct child *child, const struct step *step) {
  (void)child;
  const char *name = arg_string(step, 0);
  long error = step->op == OP_HOSTNAME ? syscall(SYS_sethostname, name, strlen(name))
                                       : syscall(SYS_setdomainname, name, strlen(name));
  return (int)checked(error);
}

static int step_remember(struct child *child, const struct step *step) {
  switch (step->op) {
    case OP_UMASK: child->umask = arg_number(step, 0); break;
    case OP_NO_NEW_PRIVILEGES: child->no_new_privileges = true; break;
    case OP_CAPABILITIES: child->capabilities = step; break;
    case OP_SECCOMP: child->seccomp = step; break;
    default: break;
  }
  return 0;
}

/*
 * Which user namespace a process is in is its own to change; the one that owns its pid namespace, of which the path
 * speaks, is not. Source: ioctl_ns(2).
 */
static int open_owner(const char *path) {
  AUTO_FD owned = (int)checked(open(path, O_RDONLY | O_CLOEXEC));
  return owned < 0 ? owned : (int)checked(ioctl(owned, NS_GET_USERNS));
}

int join_namespace(const struct step *step) {
  const char *path = arg_string(step, 1);
  uint64_t kind = arg_number(step, 0);
  if (kind == CLONE_NEWPID || *path == 0) return 0; /* The supervisor's part, or joined with all others below. */
  AUTO_FD fd = kind == CLONE_NEWUSER ? open_owner(path) : (int)checked(open(path, O_RDONLY | O_CLOEXEC));
  if (fd < 0) return fd;
  return setns(fd, (int)kind) < 0 ? -errno : 0;
}

static int step_join(struct child *child, const struct step *step) { return child->has_joined ? 0 : join_namespace(step); }

typedef int (*obey)(struct child *, const struct step *);
static const obey STEPS[OP_COUNT] = {
    [OP_JOIN] = step_join,           [OP_ROOT] = step_root,
    [OP_MOUNT] = step_mount,         [OP_BIND] = step_bind,
    [OP_MKDIR] = step_mkdir,         [OP_MKNOD] = step_mknod,
    [OP_SYMLINK] = step_symlink,     [OP_MASK] = step_mask,
    [OP_READONLY] = step_readonly,   [OP_PIVOT] = step_pivot,
    [OP_CONSOLE] = step_console,     [OP_HOSTNAME] = step_hostname,
    [OP_DOMAINNAME] = step_hostname, [OP_SYSCTL] = step_sysctl,
    [OP_RLIMIT] = step_rlimit,       [OP_OOM_SCORE] = step_oom_score,
    [OP_UMASK] = step_remember,      [OP_NO_NEW_PRIVILEGES] = step_remember,
    [OP_APPARMOR] = step_apparmor,   [OP_USER] = step_user,
    [OP_CAPABILITIES] = step_remember, [OP_CHDIR] = step_chdir,
    [OP_SECCOMP] = step_remember,    [OP_EXEC] = run_program,
    [OP_IMAGE] = step_image,
};

static bool has_step(const struct plan *plan, enum op op) {
  for (size_t i = 0; i < plan->count; i++)
    if (plan->steps[i].op == op) return true;
  return false;
}

/* All the namespaces of one process at once, so that they and the pid belong together. */
static int join_target(struct child *child) {
  if (child->target < 0) return 0;
  if (setns(child->target, (int)child->join_flags) < 0) return -errno;
  return 0;
}

/* The root of the user namespace that this process has entered. */
int become_root(void) {
  if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0) return -errno;
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return -errno; /* A change of ids may have set it. */
  return syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM ? -errno : 0;
}

static int enter_namespaces(struct child *child) {
  bool is_other = id_map(child->plan) != NULL;
  if (is_other) await_grant(child, GRANT_IDS);
  int error = join_target(child);
  if (error || !is_other) return error;
  error = become_root();
  /* A process of the container's own making may have a namespace without a root. */
  return error == -EINVAL && child->target >= 0 ? 0 : error;
}

/* Never returns 0: either the program runs, or something failed. */
int child_main(struct child *child) {
  struct message word = {.word = WORD_FAILED};
  child->detail = word.detail;
  child->step = child->plan->steps;
  int error = join_groups(child);
  if (!error) error = enter_namespaces(child);
  if (!error) error = reset_child(child);
  if (!error && !has_step(child->plan, OP_ROOT)) child->root = (int)checked(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (size_t i = 1; !error && i < child->plan->count; i++) {
    child->step = &child->plan->steps[i];
    if (STEPS[child->step->op] != NULL) error = STEPS[child->step->op](child, child->step);
  }
  word.step = (uint32_t)(child->step - child->plan->steps);
  word.error = error == 0 ? ENOEXEC : -error;
  tell(child->sync, &word, NULL, 0);
  return 1;
}
