/* The steps on the host: settings, ports, the namespaces to join, and what of a child only the host can give. */
#include "step.h"
#include <arpa/inet.h>
#include <linux/mount.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

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
