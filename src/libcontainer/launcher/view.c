/*
 * `launcher view PID TICKS PROGRAM ARGUMENTS…`: runs a program of the host's with a container's file systems as its
 * working directory, in a mount namespace that nobody else sees and that ends with it. The plan comes on descriptor 3.
 * The program and its libraries are the host's: nothing in the container is ever run, and no device in it opens.
 */
#include "step.h"
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define PLAN_FD 3

static int obey(struct child *child, const struct step *step) {
  switch (step->op) {
    case OP_ROOT: return step_root(child, step);
    case OP_MOUNT: return step_mount(child, step);
    case OP_BIND: return step_bind(child, step);
    case OP_IMAGE: return step_image(child, step);
    case OP_MASK: return step_mask(child, step);
    case OP_CAPABILITIES: return limit_capabilities(step);
    default: return -EPROTO;
  }
}

static int build(struct child *child) {
  for (size_t i = 0; i < child->plan->count; i++) {
    child->step = &child->plan->steps[i];
    int error = obey(child, child->step);
    if (error) return error;
  }
  if (!child->has_root) return -EPROTO;
  uint64_t barred = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  int error = change_mount(child->root, true, barred, 0);
  if (!error && child->root_is_readonly) error = change_mount(child->root, false, MOUNT_ATTR_RDONLY, 0);
  return error;
}

/* A pid is the container's only if it still has its start time once its file systems have been taken hold of. */
static int confirm(const char *pid, const char *ticks) {
  char now[24];
  if (strcmp(pid, "0") == 0) return 0;
  return start_ticks(atoi(pid), now) == 0 && strcmp(now, ticks) == 0 ? 0 : -ESRCH;
}

/*
 * What belongs to a container in a user namespace is, for the host's root, nobody's: the program is the container's
 * root then, with no more capabilities than it would have otherwise.
 */
static int enter_user_namespace(const struct child *child, const char *pid) {
  char path[64];
  struct stat own, other;
  if (strcmp(pid, "0") == 0) return 0;
  snprintf(path, sizeof path, "/proc/%s/ns/user", pid);
  AUTO_FD there = (int)checked(open(path, O_RDONLY | O_CLOEXEC));
  if (there < 0) return there;
  if (fstat(there, &other) < 0 || stat("/proc/self/ns/user", &own) < 0) return -errno;
  if (own.st_ino == other.st_ino) return 0;
  if (setns(there, CLONE_NEWUSER) < 0) return -errno;
  if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0) return -errno;
  if (syscall(SYS_setgroups, 0, NULL) < 0) return -errno;
  for (size_t i = 0; i < child->plan->count; i++) {
    int error = child->plan->steps[i].op == OP_CAPABILITIES ? limit_capabilities(&child->plan->steps[i]) : 0;
    if (error) return error;
  }
  return 0;
}

int view_main(int argc, char **argv) {
  struct plan plan = {0};
  char detail[DETAIL_BYTES];
  struct child child = {.plan = &plan, .detail = detail, .sync = -1, .target = -1, .root = -1, .host_null = -1, .proc = -1,
                        .proc_sys = -1, .empty = -1, .terminal = -1};
  if (argc < 4) return 2;
  int error = read_plan(PLAN_FD, &plan);
  close(PLAN_FD);
  if (!error && unshare(CLONE_NEWNS) < 0) error = -errno;
  if (!error) error = build(&child);
  if (!error) error = confirm(argv[1], argv[2]);
  if (!error && fchdir(child.root) < 0) error = -errno;
  AUTO_FD program = error ? -1 : open(argv[3], O_PATH | O_CLOEXEC);
  if (!error && program < 0) error = -errno;
  if (!error) error = enter_user_namespace(&child, argv[1]);
  if (!error) {
    /* By descriptor: its folders may be closed to whom it runs as. */
    syscall(SYS_execveat, program, "", argv + 3, environ, AT_EMPTY_PATH);
    error = -errno;
  }
  /* The root of a process is there as long as the process is. */
  bool has_ended = error == -ESRCH || (error == -ENOENT && child.step != NULL && child.step->op == OP_ROOT && strcmp(argv[1], "0") != 0);
  if (has_ended) dprintf(2, "{\"kind\":\"conflict\",\"message\":\"Cannot look at the container's file systems: it has ended meanwhile; try again\"}\n");
  if (has_ended) return 1;
  long step = child.step == NULL ? -1 : child.step - plan.steps;
  dprintf(2, "{\"kind\":\"internal\",\"message\":\"Cannot look at the container's file systems: step %ld failed with error %d (%s)\"}\n",
          step, -error, strerror(-error));
  return 1;
}
