/* The making of the container's first process, by this one or by somebody who stands where it shall belong. */
#include "step.h"
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define LONGEST_CLONE 10000 /* Milliseconds. */
#define CLONE_PIDFD_FLAG 0x1000ull
#define CLONE_INTO_CGROUP_FLAG 0x200000000ull

/* Source: clone3(2). */
struct clone_request {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static void close_outside(struct start *start) {
  for (size_t i = 0; i < start->opened.count; i++) close(start->opened.mounts[i].fd);
  start->opened.count = 0;
}

static void run_child(struct start *start, int sync) {
  struct supervisor *self = start->self;
  close(start->peer); /* Or it would never hear that the supervisor has gone. */
  struct child child = {.plan = &self->plan, .sync = sync, .target = start->target, .into = start->into, .join_flags = start->join_flags,
                        .root = -1, .host_null = -1, .proc = -1, .proc_sys = -1, .empty = -1, .terminal = -1, .umask = 022};
  child.opened = start->opened;
  child.has_joined = start->has_joined;
  child.late_cgroup_namespace = start->clone_flags & CLONE_NEWCGROUP;
  for (int fd = 0; fd < 3; fd++)
    if (dup2(start->child_streams[fd], fd) < 0) _exit(1);
  _exit(child_main(&child));
}

/* Only a group of v2 can be cloned into. */
static int open_into_group(struct start *start) {
  const struct plan *plan = &start->self->plan;
  for (size_t i = 0; i < plan->count; i++) {
    char path[4096];
    if (plan->steps[i].op != OP_CGROUP_JOIN) continue;
    const char *group = arg_string(&plan->steps[i], 0);
    if (snprintf(path, sizeof path, "%s/cgroup.controllers", group) >= (int)sizeof path) continue;
    if (access(path, F_OK) < 0) continue;
    int fd = open(group, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) start->into = &plan->steps[i];
    return fd;
  }
  return -1;
}

/* The user namespace among those to be joined, if one is, other than of a process that another joins. */
static bool joins_user_namespace(const struct plan *plan) {
  for (size_t i = 0; i < plan->count; i++) {
    const struct step *step = &plan->steps[i];
    if (step->op == OP_JOIN && arg_number(step, 0) == CLONE_NEWUSER && *arg_string(step, 1) != 0) return true;
  }
  return false;
}

/* What the one who clones in another's place has come to: in memory that is shared with it, and true even if it was killed. */
struct outcome {
  int pidfd; /* Of the child, in the descriptors that are shared too; written by the kernel. */
  int error;
};

/*
 * What is cloned belongs to the user namespace of who clones. So that it is one which is joined, somebody goes there
 * before, and clones from there a child of this process.
 */
static _Noreturn void clone_from_inside(struct start *start, struct clone_request *request, int sync, struct outcome *outcome) {
  const struct plan *plan = &start->self->plan;
  for (size_t i = 0; !outcome->error && i < plan->count; i++)
    if (plan->steps[i].op == OP_JOIN) outcome->error = join_namespace(start->step = &plan->steps[i]);
  request->flags |= CLONE_PARENT;
  request->exit_signal = 0; /* It is that of this process. */
  request->pidfd = (uintptr_t)&outcome->pidfd;
  if (outcome->error) _exit(1);
  long pid = checked(syscall(SYS_clone3, request, offsetof(struct clone_request, cgroup)));
  if (pid == 0) run_child(start, sync);
  if (pid < 0) outcome->error = (int)pid;
  _exit(0);
}

/* The child's pid as this process knows it, which need not be how it is known where it was made. */
static long pid_of(int pidfd) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
  AUTO_FD info = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = info < 0 ? -1 : read(info, text, sizeof text - 1);
  if (length < 0) return -errno;
  text[length] = 0;
  const char *line = strstr(text, "\nPid:");
  int pid = line == NULL ? -1 : atoi(line + 5);
  return pid > 0 ? pid : -ESRCH;
}

/* Whoever is in a container's namespaces may be stopped there: it is not waited for without end, nor past the daemon's. */
static int await_another(const struct start *start, pid_t another, int pidfd) {
  struct pollfd polls[2] = {{pidfd, POLLIN, 0}, {start->self->control, 0, 0}};
  int64_t deadline = milliseconds() + LONGEST_CLONE;
  for (int64_t left; (left = deadline - milliseconds()) > 0 && !polls[0].revents && !polls[1].revents;)
    if (poll(polls, 2, (int)left) < 0 && errno != EINTR) break;
  int error = polls[0].revents ? 0 : polls[1].revents ? -ECANCELED : -ETIMEDOUT;
  if (error) syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
  while (waitpid(another, NULL, __WALL) < 0 && errno == EINTR) {
  }
  return error;
}

/* A child that nobody will wait for. */
static void end_child(int pidfd) {
  siginfo_t ignored;
  syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
  waitid((idtype_t)P_PIDFD, (id_t)pidfd, &ignored, WEXITED);
  close(pidfd);
}

static long clone_by_another(struct start *start, struct clone_request *request, int sync, int *pidfd) {
  struct outcome *outcome = mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (outcome == MAP_FAILED) return -errno;
  *outcome = (struct outcome){.pidfd = -1};
  request->flags &= ~CLONE_INTO_CGROUP_FLAG; /* It may not do that from there; the child joins by itself. */
  start->into = NULL;
  start->has_joined = true;
  AUTO_FD another = -1;
  long pid = checked(syscall(SYS_clone, CLONE_FILES | CLONE_PIDFD_FLAG | SIGCHLD, 0, &another, 0, 0));
  if (pid == 0) clone_from_inside(start, request, sync, outcome);
  int error = pid < 0 ? (int)pid : await_another(start, (pid_t)pid, another);
  if (!error) error = outcome->error;
  *pidfd = outcome->pidfd;
  munmap(outcome, sizeof *outcome);
  if (*pidfd < 0) return error ? error : -ECHILD;
  pid = error ? error : pid_of(*pidfd);
  if (pid < 0) end_child(*pidfd);
  return pid;
}

int clone_child(struct start *start) {
  struct supervisor *self = start->self;
  int pair[2], pidfd = -1;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
  start->peer = pair[0];
  AUTO_FD group = open_into_group(start);
  uint64_t late = start->clone_flags & ~(uint64_t)CLONE_NEWCGROUP;
  struct clone_request request = {.flags = late | CLONE_PIDFD_FLAG | (group >= 0 ? CLONE_INTO_CGROUP_FLAG : 0),
                                  .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD, .cgroup = group < 0 ? 0 : (uint64_t)group};
  bool is_foreign_users = joins_user_namespace(&self->plan);
  long pid = is_foreign_users ? clone_by_another(start, &request, pair[1], &pidfd) : syscall(SYS_clone3, &request, sizeof request);
  if (is_foreign_users && pid < 0) return (int)pid;
  if (pid < 0 && group >= 0) { /* As a member of a group that is a domain of threads, say: then it is moved. */
    start->into = NULL;
    request.flags &= ~CLONE_INTO_CGROUP_FLAG;
    pid = syscall(SYS_clone3, &request, offsetof(struct clone_request, cgroup));
  }
  if (pid < 0) return -errno;
  if (pid == 0) run_child(start, pair[1]);
  close(pair[1]);
  close_outside(start);
  self->sync = pair[0];
  self->pid = (pid_t)pid;
  self->pidfd = pidfd;
  return start_ticks(self->pid, self->ticks);
}
