/*
 * The launcher: `supervise` and `exec` obey a plan that comes on standard input and report on standard output.
 * After the plan, standard input is the daemon's hand: a byte `g` lets the program begin, its end undoes everything.
 */
#include "step.h"
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define CLONE_PIDFD_FLAG 0x1000ull
#define CLONE_INTO_CGROUP_FLAG 0x200000000ull

/* Source: clone3(2). */
struct clone_request {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

/* Everything that lives only until the program runs. */
struct start {
  struct supervisor *self;
  const struct step *step; /* The one being obeyed. */
  char detail[84];
  const struct step *into; /* The group that the clone itself puts the child into. */
  uint64_t clone_flags, join_flags;
  int target;
  int child_streams[3];
};

static void send_report(struct start *start, enum report_kind kind, int error) {
  struct supervisor *self = start->self;
  struct report report = {.kind = kind, .error = -error, .pid = (uint32_t)self->pid};
  report.step = start->step == NULL ? 0 : (uint32_t)(start->step - self->plan.steps);
  report.op = start->step == NULL ? 0 : start->step->op;
  memcpy(report.ticks, self->ticks, sizeof report.ticks);
  memcpy(report.detail, start->detail, sizeof report.detail);
  write_all(self->status, &report, sizeof report);
}

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
  if (bind(fd, address, is_six ? sizeof six : sizeof four) < 0) return -errno;
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

static int write_id_map(const struct supervisor *self, const struct step *step) {
  char path[64];
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

static int obey_host_step(struct start *start, const struct step *step) {
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

/* Makes the pipes; a terminal is made by the child, in its own devpts. */
static int open_streams(struct start *start) {
  struct terminal *terminal = &start->self->terminal;
  uint64_t flags = arg_number(start->self->plan.steps, SET_FLAGS);
  int ends[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return -errno;
  start->child_streams[0] = start->child_streams[1] = start->child_streams[2] = null;
  terminal->is_pty = flags & STDIO_TERMINAL;
  terminal->stdin_once = flags & STDIO_STDIN_ONCE;
  if (terminal->is_pty) return 0;
  if (flags & STDIO_OPEN_STDIN) {
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    start->child_streams[0] = ends[0];
    terminal->in = ends[1];
    if (fcntl(terminal->in, F_SETFL, O_NONBLOCK) < 0) return -errno;
  }
  for (int stream = 1; stream < 3; stream++) {
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    start->child_streams[stream] = ends[1];
    *(stream == 1 ? &terminal->out : &terminal->err) = ends[0];
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) return -errno;
  }
  return 0;
}

static void close_child_streams(struct start *start) {
  int *streams = start->child_streams;
  for (int i = 2; i >= 0; i--) {
    bool is_shared = (i > 0 && streams[i] == streams[i - 1]) || (i > 1 && streams[i] == streams[0]);
    if (!is_shared && streams[i] >= 0) close(streams[i]);
  }
}

static void run_child(struct start *start, int sync) {
  struct supervisor *self = start->self;
  struct child child = {.plan = &self->plan, .sync = sync, .target = start->target, .into = start->into, .join_flags = start->join_flags,
                        .root = -1, .host_null = -1, .proc = -1, .proc_sys = -1, .empty = -1, .terminal = -1, .umask = 022};
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

static int clone_child(struct start *start) {
  struct supervisor *self = start->self;
  int pair[2], pidfd = -1;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
  AUTO_FD group = open_into_group(start);
  uint64_t late = start->clone_flags & ~(uint64_t)CLONE_NEWCGROUP;
  struct clone_request request = {.flags = late | CLONE_PIDFD_FLAG | (group >= 0 ? CLONE_INTO_CGROUP_FLAG : 0),
                                  .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD, .cgroup = group < 0 ? 0 : (uint64_t)group};
  long pid = syscall(SYS_clone3, &request, sizeof request);
  if (pid < 0 && group >= 0) { /* As a member of a group that is a domain of threads, say: then it is moved. */
    start->into = NULL;
    request.flags &= ~CLONE_INTO_CGROUP_FLAG;
    pid = syscall(SYS_clone3, &request, offsetof(struct clone_request, cgroup));
  }
  if (pid < 0) return -errno;
  if (pid == 0) run_child(start, pair[1]);
  close(pair[1]);
  self->sync = pair[0];
  self->pid = (pid_t)pid;
  self->pidfd = pidfd;
  return start_ticks(self->pid, self->ticks);
}

static int grant(const struct supervisor *self, enum grant what) {
  uint8_t byte = (uint8_t)what;
  return send(self->sync, &byte, 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* What the child must have before it may go far: its ids. */
static int settle_child(struct start *start) {
  struct supervisor *self = start->self;
  for (size_t i = 0; i < self->plan.count; i++)
    if (self->plan.steps[i].op == OP_ID_MAP) {
      int error = write_id_map(self, &self->plan.steps[i]);
      if (error) return start->step = &self->plan.steps[i], error;
    }
  if (start->clone_flags & CLONE_NEWNET) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/net", self->pid);
    self->links.child = open(path, O_RDONLY | O_CLOEXEC);
    if (self->links.child < 0) return -errno;
  }
  return grant(self, GRANT_IDS);
}

static int obey_host_steps(struct start *start) {
  struct plan *plan = &start->self->plan;
  int error = 0;
  for (size_t i = 1; !error && i < plan->count; i++) {
    start->step = &plan->steps[i];
    if (start->step->op != OP_CLONE) {
      error = obey_host_step(start, start->step);
      continue;
    }
    start->clone_flags = arg_number(start->step, 0);
    error = clone_child(start);
    if (error) break;
    close_child_streams(start);
    send_report(start, REPORT_CLONED, 0);
    error = settle_child(start);
  }
  if (!error && start->self->pid == 0) error = -EPROTO;
  return error ? error : grant(start->self, GRANT_LINKS);
}

/* Takes the pty's two ends from a message. */
static void take_terminal(struct supervisor *self, struct msghdr *head) {
  struct cmsghdr *rider = CMSG_FIRSTHDR(head);
  int ends[2];
  if (rider == NULL || rider->cmsg_type != SCM_RIGHTS || rider->cmsg_len != CMSG_LEN(sizeof ends)) return;
  memcpy(ends, CMSG_DATA(rider), sizeof ends);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  self->terminal.in = self->terminal.out = ends[0];
  self->terminal.slave = ends[1];
}

/* 1: a word came, 0: the child has let go of the socket, by exec or by dying. */
static int hear(struct supervisor *self, struct message *message) {
  char space[CMSG_SPACE(2 * sizeof(int))];
  struct iovec part = {message, sizeof *message};
  struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
  ssize_t got = recvmsg(self->sync, &head, MSG_CMSG_CLOEXEC);
  /* A child that ends without having read its grants resets the socket; what it said is still there. */
  if (got < 0) return errno == EINTR || errno == ECONNRESET ? hear(self, message) : -errno;
  if (got != sizeof *message) return 0;
  if (message->word == WORD_TERMINAL) take_terminal(self, &head);
  return 1;
}

static int fail_as_told(struct start *start, const struct message *message) {
  const struct plan *plan = &start->self->plan;
  if (message->step < plan->count) start->step = &plan->steps[message->step];
  memcpy(start->detail, message->detail, sizeof start->detail);
  start->detail[sizeof start->detail - 1] = 0;
  return message->error > 0 ? -message->error : -EPROTO;
}

/* Waits for the child's `ready`, or, once it may go on, for its exec. The daemon's death ends either. */
static int await_child(struct start *start, bool is_started) {
  struct supervisor *self = start->self;
  for (;;) {
    struct pollfd polls[2] = {{self->sync, POLLIN, 0}, {is_started ? -1 : self->control, POLLIN, 0}};
    if (poll(polls, 2, -1) < 0 && errno != EINTR) return -errno;
    if (polls[1].revents) return -ECANCELED;
    if (!polls[0].revents) continue;
    struct message message;
    int heard = hear(self, &message);
    if (heard < 0) return heard;
    if (heard == 0) return is_started ? 0 : -ECHILD;
    if (message.word == WORD_FAILED) return fail_as_told(start, &message);
    if (message.word == WORD_READY && !is_started) return 0;
  }
}

static int await_go(struct supervisor *self) {
  for (;;) {
    struct pollfd polls[2] = {{self->control, POLLIN, 0}, {self->sync, 0, 0}};
    if (poll(polls, 2, -1) < 0 && errno != EINTR) return -errno;
    if (polls[1].revents & (POLLHUP | POLLERR)) return -ECHILD;
    if (!polls[0].revents) continue;
    char byte;
    ssize_t got = read(self->control, &byte, 1);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    return got == 1 && byte == 'g' ? grant(self, GRANT_GO) : -ECANCELED;
  }
}

/* The socket's name is short, and the state directory is where this process stands. */
static int open_state(struct supervisor *self) {
  const struct step *settings = self->plan.steps;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  self->socket_name = strdup(arg_string(settings, SET_SOCKET));
  self->exit_name = strdup(arg_string(settings, SET_EXIT_FILE));
  self->pid_name = strdup(arg_string(settings, SET_PID_FILE));
  if (self->socket_name == NULL || self->exit_name == NULL || self->pid_name == NULL) return -ENOMEM;
  if (strlen(self->socket_name) >= sizeof address.sun_path) return -ENAMETOOLONG;
  strcpy(address.sun_path, self->socket_name);
  self->state = open(arg_string(settings, SET_STATE), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (self->state < 0 || fchdir(self->state) < 0) return -errno;
  if (unlinkat(self->state, self->socket_name, 0) < 0 && errno != ENOENT) return -errno;
  AUTO_FD listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  umask(0177);
  if (listening < 0 || bind(listening, (void *)&address, sizeof address) < 0) return -errno;
  if (listen(listening, 1024) < 0 || chdir("/") < 0) return -errno;
  umask(022);
  self->terminal.listen = take_fd(&listening);
  return log_open(&self->log, arg_string(settings, SET_LOG), arg_number(settings, SET_LOG_BYTES),
                  (unsigned)arg_number(settings, SET_LOG_FILES));
}

/* For the daemon that comes after this one: who supervises, who is supervised, and which groups are theirs. */
static int write_pids(struct supervisor *self) {
  char ticks[24], *text;
  size_t length = 0, room = 128;
  int error = start_ticks(getpid(), ticks);
  if (error || *self->pid_name == 0) return error;
  for (size_t i = 0; i < self->groups.count; i++) room += strlen(self->groups.paths[i]) + 1;
  if ((text = malloc(room)) == NULL) return -ENOMEM;
  length += (size_t)snprintf(text, room, "%d %s %d %s\n", getpid(), ticks, self->pid, self->ticks);
  for (size_t i = 0; i < self->groups.count; i++)
    length += (size_t)snprintf(text + length, room - length, "%s\n", self->groups.paths[i]);
  error = write_state_file(self, self->pid_name, text, length);
  free(text);
  return error;
}

/* A process to be added to a container is believed to be that container only with its start time. */
static int open_target(struct start *start) {
  const struct step *settings = start->self->plan.steps;
  pid_t pid = (pid_t)arg_number(settings, SET_TARGET_PID);
  char ticks[24];
  if (pid == 0) return 0;
  start->target = (int)checked(syscall(SYS_pidfd_open, pid, 0));
  if (start->target < 0) return start->target;
  int error = start_ticks(pid, ticks);
  return error ? -ESRCH : strcmp(ticks, arg_string(settings, SET_TARGET_TICKS)) == 0 ? 0 : -ESRCH;
}

static bool makes_pid_namespace(const struct start *start) { return start->clone_flags & CLONE_NEWPID; }

static int start_program(struct start *start) {
  struct supervisor *self = start->self;
  int error = read_plan(self->control, &self->plan);
  if (!error && (self->plan.count == 0 || self->plan.steps[0].op != OP_SETTINGS)) error = -EPROTO;
  if (error) return error;
  start->step = self->plan.steps;
  if ((error = open_state(self)) || (error = open_target(start)) || (error = open_streams(start))) return error;
  if ((error = obey_host_steps(start)) || (error = await_child(start, false))) return error;
  self->kills_rest = self->groups.count > 0 && !makes_pid_namespace(start);
  if ((error = write_pids(self))) return error;
  /* Once the child has its own score, so that it does not inherit this one. */
  write_file("/proc/self/oom_score_adj", "-998");
  send_report(start, REPORT_READY, 0);
  if ((error = await_go(self))) return error;
  return await_child(start, true);
}

/* Nothing of the daemon's is kept. */
static void let_go(struct start *start) {
  struct supervisor *self = start->self;
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  close_fd(&null);
  close_fd(&self->sync);
  close_fd(&start->target);
  links_close(&self->links);
  free_plan(&self->plan);
}

static int supervise_main(void) {
  struct supervisor self = {.status = 1, .sync = -1, .pidfd = -1, .state = -1,
                            .socket_name = "", .exit_name = "", .pid_name = "", .log = {.fd = -1},
                            .terminal = {.listen = -1, .in = -1, .out = -1, .err = -1, .slave = -1}};
  struct start start = {.self = &self, .target = -1, .child_streams = {-1, -1, -1}};
  links_open(&self.links);
  setsid();
  int error = start_program(&start);
  if (error) {
    if (self.pidfd >= 0) {
      siginfo_t ignored;
      syscall(SYS_pidfd_send_signal, self.pidfd, SIGKILL, NULL, 0);
      waitid(P_PIDFD, (id_t)self.pidfd, &ignored, WEXITED);
    }
    undo(&self);
    send_report(&start, REPORT_FAILED, error);
    return 1;
  }
  send_report(&start, REPORT_RUNNING, 0);
  let_go(&start);
  return supervise(&self) < 0 ? 1 : 0;
}

/* A launcher starts with three descriptors, whatever its parent left open, and no signal disturbs it. */
static int prepare_process(void) {
  sigset_t all;
  sigfillset(&all);
  if (sigprocmask(SIG_SETMASK, &all, NULL) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return -errno;
  prctl(PR_SET_NAME, "bunker-launcher");
  syscall(SYS_close_range, 3, ~0u, 0);
  for (int fd; (fd = open("/dev/null", O_RDWR | O_CLOEXEC)) < 3;)
    if (fd < 0 || fcntl(fd, F_SETFD, 0) < 0) return -errno;
  close(3);
  return 0;
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  if (strcmp(mode, "supervise") == 0 || strcmp(mode, "exec") == 0) return prepare_process() ? 1 : supervise_main();
  if (strcmp(mode, "netlink") == 0) return netlink_main(argc - 1, argv + 1);
  if (strcmp(mode, "relay") == 0 && relay_main != NULL) return relay_main(argc - 1, argv + 1);
  static const char usage[] = "usage: launcher supervise|exec|netlink|relay\n";
  return write_all(2, usage, sizeof usage - 1) ? 2 : 2;
}
