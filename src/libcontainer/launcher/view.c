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
    case OP_ID_MAP: return 0;
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
 * What belongs to a container in a user namespace is, for the host's root, nobody's: the program is root in a namespace
 * with the same ids then. In the container's own it would be at the mercy of who is root there.
 */
static int enter_ids(const struct child *child, int ids) {
  if (ids < 0) return 0;
  if (setns(ids, CLONE_NEWUSER) < 0) return -errno;
  int error = become_root();
  for (size_t i = 0; !error && i < child->plan->count; i++)
    if (child->plan->steps[i].op == OP_CAPABILITIES) error = limit_capabilities(&child->plan->steps[i]);
  return error;
}

/* Before anything is mounted: who stands in another root may make no user namespace. -1 where none is wanted. */
static int open_ids(const struct plan *plan, int *ids) {
  const struct step *map = id_map(plan);
  if (map == NULL) return 0;
  int opened = open_id_map(arg_string(map, 0), arg_string(map, 1));
  if (opened < 0) return opened;
  *ids = opened;
  return 0;
}

/* By descriptor: the program's folders may be closed to whom it runs as. */
static int run_as(const struct child *child, int ids, char **argv) {
  AUTO_FD program = (int)checked(open(argv[0], O_PATH | O_CLOEXEC));
  if (program < 0) return program;
  int error = enter_ids(child, ids);
  if (error) return error;
  syscall(SYS_execveat, program, "", argv, environ, AT_EMPTY_PATH);
  return -errno;
}

int view_main(int argc, char **argv) {
  struct plan plan = {0};
  char detail[DETAIL_BYTES];
  struct child child = {.plan = &plan, .detail = detail, .sync = -1, .target = -1, .root = -1, .host_null = -1, .proc = -1,
                        .proc_sys = -1, .empty = -1, .terminal = -1};
  if (argc < 4) return 2;
  int error = read_plan(PLAN_FD, &plan);
  close(PLAN_FD);
  AUTO_FD ids = -1;
  if (!error) error = open_ids(&plan, &ids);
  if (!error && unshare(CLONE_NEWNS) < 0) error = -errno;
  if (!error) error = build(&child);
  if (!error) error = confirm(argv[1], argv[2]);
  if (!error && fchdir(child.root) < 0) error = -errno;
  if (!error) {
    error = run_as(&child, ids, argv + 3);
    dprintf(2, "{\"kind\":\"internal\",\"message\":\"Cannot look at the container's file systems: %s cannot be run there: %s\"}\n",
            argv[3], strerror(-error));
    return 1;
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
