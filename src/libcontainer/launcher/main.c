/*
 * The launcher: `supervise` and `exec` obey a plan that comes on standard input and report on standard output.
 * After the plan, standard input is the daemon's hand: a byte `g` lets the program begin, its end undoes everything.
 */
#include "step.h"
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static void send_report(struct start *start, enum report_kind kind, int error) {
  struct supervisor *self = start->self;
  struct report report = {.kind = kind, .error = -error, .pid = (uint32_t)self->pid};
  report.step = start->step == NULL ? 0 : (uint32_t)(start->step - self->plan.steps);
  report.op = start->step == NULL ? 0 : start->step->op;
  memcpy(report.ticks, self->ticks, sizeof report.ticks);
  memcpy(report.detail, start->detail, sizeof report.detail);
  write_all(self->status, &report, sizeof report);
}

/* A child that has failed already no longer listens, and will be heard. */
static int grant(const struct supervisor *self, enum grant what) {
  uint8_t byte = (uint8_t)what;
  if (self->sync < 0) return 0; /* What a runtime makes waits for the runtime. */
  return send(self->sync, &byte, 1, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET ? -errno : 0;
}

int open_child_network(struct start *start) {
  char path[64];
  if (!(start->clone_flags & CLONE_NEWNET)) return 0;
  snprintf(path, sizeof path, "/proc/%d/ns/net", start->self->pid);
  start->self->links.child = open(path, O_RDONLY | O_CLOEXEC);
  return start->self->links.child < 0 ? -errno : 0;
}

/* What the child must have before it may go far: its ids. */
static int settle_child(struct start *start) {
  int error = settle_ids(start);
  if (!error) error = open_child_network(start);
  return error ? error : grant(start->self, GRANT_IDS);
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

static int obey_with_runtime(struct start *start) {
  struct plan *plan = &start->self->plan;
  int error = 0;
  for (size_t i = 1; !error && i < plan->count; i++) error = obey_runtime_step(start, start->step = &plan->steps[i]);
  if (!error) send_report(start, REPORT_CLONED, 0);
  return error;
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

/* A child that has ended spoils the steps about it, and knows better why. */
static int prefer_child(struct start *start, int error) {
  struct pollfd heard = {start->self->sync, POLLIN, 0};
  if (start->self->pid == 0 || poll(&heard, 1, 0) <= 0) return error;
  int told = await_child(start, false);
  return told ? told : error;
}

static bool makes_pid_namespace(const struct start *start) { return start->clone_flags & CLONE_NEWPID; }

static int start_program(struct start *start) {
  struct supervisor *self = start->self;
  int error = read_plan(self->control, &self->plan);
  if (!error && (self->plan.count == 0 || self->plan.steps[0].op != OP_SETTINGS)) error = -EPROTO;
  if (error) return error;
  start->step = self->plan.steps;
  if ((error = open_state(self)) || (error = write_pids(self))) return error;
  if ((error = open_target(start)) || (error = open_streams(start))) return error;
  if ((error = open_outside(start))) {
    if (start->opened.last == NULL) return error;
    start->step = start->opened.last;
    snprintf(start->detail, sizeof start->detail, "%s", start->opened.part);
    return error;
  }
  bool has_runtime = making_step(&self->plan) != NULL;
  if ((error = has_runtime ? obey_with_runtime(start) : obey_host_steps(start))) return prefer_child(start, error);
  if (!has_runtime && (error = await_child(start, false))) return error;
  self->kills_rest = self->groups.count > 0 && !makes_pid_namespace(start);
  if ((error = write_pids(self))) return error;
  /* Once the child has its own score, so that it does not inherit this one. */
  write_file("/proc/self/oom_score_adj", "-998");
  send_report(start, REPORT_READY, 0);
  if ((error = await_go(self))) return error;
  return has_runtime ? begin_by_runtime(start) : await_child(start, true);
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
                            .socket_name = "", .exit_name = "", .pid_name = "",
                            .terminal = {.listen = -1, .in = -1, .out = -1, .err = -1, .slave = -1}};
  struct start start = {.self = &self, .target = -1, .child_streams = {-1, -1, -1}, 
                        .asked = {.granted = GRANT_GO, .root = -1, .host_null = -1, .proc = -1, .proc_sys = -1, .empty = -1, .terminal = -1}};
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
  if (strcmp(mode, "view") == 0) return view_main(argc - 1, argv + 1);
  if (strcmp(mode, "relay") == 0 && relay_main != NULL) return relay_main(argc - 1, argv + 1);
  if (strcmp(mode, "front") == 0 && front_main != NULL) return front_main(argc - 1, argv + 1);
  static const char usage[] = "usage: launcher supervise|exec|netlink|relay|front|view\n";
  return write_all(2, usage, sizeof usage - 1) ? 2 : 2;
}
