/*
 * The supervisor's life after the program has begun: one thread, one poll. It carries bytes between the program,
 * its log and its clients, and at the end leaves a record of how it ended and nothing else.
 */
#include "step.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define READ_ROOM 65536
/* After the first process has ended its output is read for at most this long: others may hold the pipe. */
#define DRAIN_MILLISECONDS 2000
/* After that, clients may take what is queued for them, and this long to begin with the next of it: a pager, say. */
#define LINGER_MILLISECONDS 600000
#define REST_MILLISECONDS 1000

struct loop {
  struct supervisor *self;
  uint8_t *buffer;
  bool has_exited, is_dirty;
  siginfo_t exit;
  int64_t deadline;
  struct pollfd *polls;
  size_t room;
};

static void read_output(struct loop *loop, int *fd, int stream) {
  struct supervisor *self = loop->self;
  ssize_t got = read(*fd, loop->buffer, READ_ROOM);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    if (self->terminal.is_pty) self->terminal.in = -1; /* The same descriptor. */
    close(*fd);
    *fd = -1;
    return;
  }
  loop->is_dirty = true;
  log_write(&self->log, stream, loop->buffer, (size_t)got);
  send_output(&self->terminal, stream, loop->buffer, (size_t)got);
}

static void reap(struct loop *loop) {
  struct supervisor *self = loop->self;
  if (waitid(P_PIDFD, (id_t)self->pidfd, &loop->exit, WEXITED | WNOHANG) < 0 || loop->exit.si_pid == 0) return;
  loop->has_exited = true;
  loop->deadline = milliseconds() + DRAIN_MILLISECONDS;
  if (self->kills_rest) kill_groups(&self->groups);
  close_fd(&self->terminal.slave);
  self->terminal.slave = -1;
}

enum { SLOT_PIDFD, SLOT_LISTEN, SLOT_IN, SLOT_OUT, SLOT_ERR, SLOT_LOG, SLOT_FIXED };

static int prepare_polls(struct loop *loop) {
  struct terminal *terminal = &loop->self->terminal;
  size_t count = SLOT_FIXED + terminal->count;
  if (count > loop->room) {
    struct pollfd *more = realloc(loop->polls, (count + 8) * sizeof *more);
    if (more == NULL) return -ENOMEM;
    loop->polls = more;
    loop->room = count + 8;
  }
  /* What a container has left in its pipes belongs into its log, whoever reads slowly: a pipe's worth more at most. */
  bool is_held = is_congested(terminal, loop->has_exited ? 2 * CLIENT_LIMIT : CLIENT_LIMIT);
  struct pollfd *polls = loop->polls;
  polls[SLOT_PIDFD] = (struct pollfd){loop->has_exited ? -1 : loop->self->pidfd, POLLIN, 0};
  polls[SLOT_LISTEN] = (struct pollfd){terminal->listen, POLLIN, 0};
  polls[SLOT_IN] = (struct pollfd){terminal->pending_length > 0 ? terminal->in : -1, POLLOUT, 0};
  polls[SLOT_OUT] = (struct pollfd){is_held ? -1 : terminal->out, POLLIN, 0};
  polls[SLOT_ERR] = (struct pollfd){is_held ? -1 : terminal->err, POLLIN, 0};
  polls[SLOT_LOG] = log_poll(&loop->self->log);
  for (size_t i = 0; i < terminal->count; i++)
    polls[SLOT_FIXED + i] = client_poll(terminal, &terminal->clients[i]);
  return (int)count;
}

static void rest(struct loop *loop) {
  loop->is_dirty = false;
  madvise(loop->buffer, READ_ROOM + STDIN_ROOM, MADV_DONTNEED);
  log_rest(&loop->self->log);
}

/* One turn. Clients come before output, so that those who asked first miss nothing. */
static int turn(struct loop *loop) {
  struct terminal *terminal = &loop->self->terminal;
  int count = prepare_polls(loop);
  if (count < 0) return count;
  bool may_rest = loop->is_dirty && terminal->pending_length == 0;
  int64_t left = loop->has_exited ? loop->deadline - milliseconds() : may_rest ? REST_MILLISECONDS : -1;
  int64_t due = log_due(&loop->self->log);
  if (due >= 0 && (left < 0 || due < left) && !(loop->has_exited && left < 0)) left = due;
  int ready = poll(loop->polls, (nfds_t)count, loop->has_exited && left < 0 ? 0 : (int)left);
  if (ready < 0) return errno == EINTR ? 0 : -errno;
  if (ready == 0 && may_rest && !loop->has_exited) rest(loop);
  struct pollfd *polls = loop->polls;
  for (size_t i = 0; i < (size_t)count - SLOT_FIXED; i++)
    if (polls[SLOT_FIXED + i].revents) {
      loop->is_dirty = true;
      serve_client(terminal, &terminal->clients[i], polls[SLOT_FIXED + i].revents);
    }
  if (polls[SLOT_LISTEN].revents) accept_clients(terminal);
  if (polls[SLOT_IN].revents) write_pending(terminal);
  if (polls[SLOT_LOG].revents || due >= 0) log_serve(&loop->self->log);
  if (polls[SLOT_OUT].revents) read_output(loop, &terminal->out, 0);
  if (polls[SLOT_ERR].revents) read_output(loop, &terminal->err, 1);
  if (polls[SLOT_PIDFD].revents) reap(loop);
  drop_doomed(terminal);
  return 0;
}

int write_state_file(const struct supervisor *self, const char *name, const char *text, size_t length) {
  char side[300];
  if (snprintf(side, sizeof side, ".%s.new", name) >= (int)sizeof side) return -ENAMETOOLONG;
  AUTO_FD fd = openat(self->state, side, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  int error = write_all(fd, text, length);
  if (!error && renameat(self->state, side, self->state, name) < 0) error = -errno;
  return error;
}

/* Undoes what this launcher made on the host. */
void undo(struct supervisor *self) {
  for (size_t i = 0; i < self->port_count; i++) close(self->ports[i]);
  self->port_count = 0;
  links_close(&self->links);
  delete_by_runtime(self);
  remove_groups(&self->groups);
  if (self->state < 0) return;
  if (self->terminal.listen >= 0) unlinkat(self->state, self->socket_name, 0);
  if (*self->pid_name != 0) unlinkat(self->state, self->pid_name, 0);
}

/* `code signal oom nanoseconds`: the code is what a shell would say. */
static size_t word_record(const struct loop *loop, char *record, size_t room) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  bool is_signal = loop->exit.si_code != CLD_EXITED;
  int code = is_signal ? 128 + loop->exit.si_status : loop->exit.si_status;
  bool is_oom = was_out_of_memory(&loop->self->groups);
  long long time = (long long)now.tv_sec * 1000000000 + now.tv_nsec;
  return (size_t)snprintf(record, room, "%d %d %d %lld\n", code, is_signal ? loop->exit.si_status : 0, is_oom, time);
}

static size_t queued_bytes(const struct terminal *terminal) {
  size_t bytes = 0;
  for (size_t i = 0; i < terminal->count; i++) bytes += terminal->clients[i].queued;
  return bytes;
}

/* What others still write comes too late. */
static void close_streams(struct terminal *terminal) {
  if (terminal->in != terminal->out) close_fd(&terminal->in);
  close_fd(&terminal->out);
  close_fd(&terminal->err);
  terminal->in = terminal->out = terminal->err = -1;
  terminal->pending_length = 0;
}

static void linger(struct loop *loop) {
  struct terminal *terminal = &loop->self->terminal;
  loop->deadline = milliseconds() + LINGER_MILLISECONDS;
  for (size_t left = queued_bytes(terminal), now; left > 0 && milliseconds() < loop->deadline; left = now) {
    if (turn(loop) < 0) return;
    now = queued_bytes(terminal);
    if (now < left) loop->deadline = milliseconds() + LINGER_MILLISECONDS;
  }
}

/* Everybody who waits may rely on the log, the groups and the ports: those come first. */
static void finish(struct loop *loop) {
  struct supervisor *self = loop->self;
  char record[96];
  close_streams(&self->terminal);
  log_close(&self->log);
  accept_clients(&self->terminal);
  size_t length = word_record(loop, record, sizeof record);
  if (*self->exit_name != 0) write_state_file(self, self->exit_name, record, length);
  undo(self);
  close_fd(&self->terminal.listen);
  self->terminal.listen = -1;
  answer_waiters(&self->terminal, record, length);
  linger(loop);
}

static bool is_drained(const struct loop *loop) {
  const struct terminal *terminal = &loop->self->terminal;
  return (terminal->out < 0 && terminal->err < 0) || milliseconds() >= loop->deadline;
}

int supervise(struct supervisor *self) {
  struct loop loop = {.self = self};
  loop.buffer = mmap(NULL, READ_ROOM + STDIN_ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (loop.buffer == MAP_FAILED) return -errno;
  self->terminal.pending = (char *)loop.buffer + READ_ROOM;
  accept_clients(&self->terminal);
  while (!loop.has_exited || !is_drained(&loop))
    if (turn(&loop) < 0) poll(NULL, 0, 10); /* Out of memory for a moment: the container goes on. */
  finish(&loop);
  return 0;
}
