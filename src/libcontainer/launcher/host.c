/* The steps on the host: settings, ports, the namespaces to join, and the cloning itself. */
#include "step.h"
#include <arpa/inet.h>
#include <linux/mount.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
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

static int step_reserve_port(struct supervisor *self, const struct step *step) {
  bool is_six = arg_number(step, 0) == 6;
  const char *protocol = arg_string(step, 1);
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)arg_number(step, 3))};
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)arg_number(step, 3))};
  int kind = strcmp(protocol, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM, on = 1;
  AUTO_FD fd = socket(is_six ? AF_INET6 : AF_INET, kind | SOCK_CLOEXEC, strcmp(protocol, "sctp") == 0 ? IPPROTO_SCTP : 0);
  /* A host that speaks no such protocol has nobody to reserve it from. */
  if (fd < 0) return errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT ? 0 : -errno;
  if (inet_pton(is_six ? AF_INET6 : AF_INET, arg_string(step, 2), is_six ? (void *)&six.sin6_addr : &four.sin_addr) != 1)
    return -EINVAL;
  if (is_six && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) return -errno;
  const struct sockaddr *address = is_six ? (const void *)&six : (const void *)&four;
  socklen_t length = is_six ? sizeof six : sizeof four;
  int error = (int)checked(bind(fd, address, length));
  /* Connections that linger after a server has gone are not in the way; one that listens, or reserves, still is. */
  if (error == -EADDRINUSE && kind == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0)
    error = (int)checked(bind(fd, address, length));
  if (error) return error;
  int *ports = realloc(self->ports, (self->port_count + 1) * sizeof *ports);
  if (ports == NULL) return -ENOMEM;
  self->ports = ports;
  ports[self->port_count++] = take_fd(&fd);
  return 0;
}

static int write_setting(const struct step *step) {
  int error = write_file(arg_string(step, 0), arg_string(step, 1));
  return error == -ENOENT && arg_number(step, 2) ? 0 : error;
}

/* A map is written once, by who makes the namespace; a child that joins one finds it there. */
static int write_id_map(const struct start *start, const struct step *step) {
  const struct supervisor *self = start->self;
  char path[64];
  if (!(start->clone_flags & CLONE_NEWUSER)) return 0;
  snprintf(path, sizeof path, "/proc/%d/uid_map", self->pid);
  int error = write_file(path, arg_string(step, 0));
  snprintf(path, sizeof path, "/proc/%d/gid_map", self->pid);
  return error ? error : write_file(path, arg_string(step, 1));
}

/* A pid namespace is joined by who clones; those of a target all at once, by the child. */
static int note_join(struct start *start, const struct step *step) {
  uint64_t kind = arg_number(step, 0);
  const char *path = arg_string(step, 1);
  if (*path == 0 && kind != CLONE_NEWPID) start->join_flags |= kind;
  if (kind != CLONE_NEWPID) return 0;
  AUTO_FD opened = *path == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  int fd = *path == 0 ? start->target : opened;
  if (fd < 0) return -errno;
  return setns(fd, CLONE_NEWPID) < 0 ? -errno : 0;
}

int obey_host_step(struct start *start, const struct step *step) {
  struct supervisor *self = start->self;
  switch (step->op) {
    case OP_CGROUP: return make_group(&self->groups, arg_string(step, 0));
    case OP_WRITE: return write_setting(step);
    case OP_DEVICE_FILTER: return attach_device_filter(step);
    case OP_RESERVE_PORT: return step_reserve_port(self, step);
    case OP_JOIN: return self->pid == 0 ? note_join(start, step) : 0;
    case OP_ID_MAP: return 0; /* Before everything else, right after the clone. */
    case OP_NETLINK: return step_netlink(&self->links, step, start->detail);
    default: return 0;
  }
}

/* Up to here the child may go by itself. One that cannot be had is the child's to tell, or to do without. */
static void raise_hard_limit(pid_t pid, const struct step *step) {
  struct rlimit now, wanted = {.rlim_max = arg_number(step, 2)};
  int resource = (int)arg_number(step, 0);
  if (syscall(SYS_prlimit64, pid, resource, NULL, &now) < 0 || now.rlim_max >= wanted.rlim_max) return;
  wanted.rlim_cur = now.rlim_cur;
  syscall(SYS_prlimit64, pid, resource, &wanted, NULL);
}

/* What the host's root may give and a user namespace's may not: limits beyond the hard one, a lower score. */
static int give_limits(const struct supervisor *self) {
  const struct plan *plan = &self->plan;
  char path[48], value[24];
  for (size_t i = 1; i < plan->count; i++) {
    const struct step *step = &plan->steps[i];
    if (step->op == OP_RLIMIT) raise_hard_limit(self->pid, step);
    if (step->op != OP_OOM_SCORE) continue;
    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", self->pid);
    snprintf(value, sizeof value, "%lld", (long long)arg_number(step, 0));
    int error = write_file(path, value);
    if (error && error != -EACCES) return error;
  }
  return 0;
}

/* For a child in a user namespace: what only this side of it can do. */
int settle_ids(struct start *start) {
  const struct step *map = id_map(&start->self->plan);
  if (map == NULL) return 0;
  int error = write_id_map(start, map);
  if (!error) error = give_limits(start->self);
  if (error) start->step = map;
  return error;
}

const struct step *id_map(const struct plan *plan) {
  for (size_t i = 0; i < plan->count; i++)
    if (plan->steps[i].op == OP_ID_MAP) return &plan->steps[i];
  return NULL;
}

static bool has_root(const struct plan *plan) {
  for (size_t i = 0; i < plan->count; i++)
    if (plan->steps[i].op == OP_ROOT) return true;
  return false;
}

/*
 * For a user namespace in a mount namespace of this process, so that nothing of it shows on the host; it is left again,
 * or what the host has mounted now would stay busy as long as the container lives.
 */
int open_outside(struct start *start) {
  const struct plan *plan = &start->self->plan;
  if (id_map(plan) == NULL || !has_root(plan)) return open_mounts(plan, &start->opened, EARLY_MAPPED);
  AUTO_FD home = (int)checked(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (home < 0) return home;
  if (unshare(CLONE_NEWNS) < 0 || syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) return -errno;
  int error = open_mounts(plan, &start->opened, EARLY_ALL);
  if (setns(home, CLONE_NEWNS) < 0 && !error) error = -errno;
  return error;
}

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
