/* What a supervisor keeps: its state directory, its socket, its record of who is who, and the ends of the streams. */
#include "step.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* A program in a user namespace may reopen its streams by name as any other, if they are of that namespace's root. */
static int own_pipe(const struct start *start, const int ends[2]) {
  const struct step *map = id_map(&start->self->plan);
  if (map == NULL) return 0;
  return fchown(ends[0], outside_of_root(arg_string(map, 0)), outside_of_root(arg_string(map, 1))) < 0 ? -errno : 0;
}

static int new_pipe(const struct start *start, int ends[2]) {
  return pipe2(ends, O_CLOEXEC) < 0 ? -errno : own_pipe(start, ends);
}

/* Makes the pipes; a terminal is made by the child, in its own devpts. */
int open_streams(struct start *start) {
  struct terminal *terminal = &start->self->terminal;
  uint64_t flags = arg_number(start->self->plan.steps, SET_FLAGS);
  int ends[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return -errno;
  start->child_streams[0] = start->child_streams[1] = start->child_streams[2] = null;
  terminal->is_pty = flags & STDIO_TERMINAL;
  terminal->stdin_once = flags & STDIO_STDIN_ONCE;
  if (terminal->is_pty) return 0;
  if (flags & STDIO_OPEN_STDIN) {
    int error = new_pipe(start, ends);
    if (error) return error;
    start->child_streams[0] = ends[0];
    terminal->in = ends[1];
    if (fcntl(terminal->in, F_SETFL, O_NONBLOCK) < 0) return -errno;
  }
  for (int stream = 1; stream < 3; stream++) {
    int error = new_pipe(start, ends);
    if (error) return error;
    start->child_streams[stream] = ends[1];
    *(stream == 1 ? &terminal->out : &terminal->err) = ends[0];
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) return -errno;
  }
  return 0;
}

void close_child_streams(struct start *start) {
  int *streams = start->child_streams;
  for (int i = 2; i >= 0; i--) {
    bool is_shared = (i > 0 && streams[i] == streams[i - 1]) || (i > 1 && streams[i] == streams[0]);
    if (!is_shared && streams[i] >= 0) close(streams[i]);
  }
}

/* The socket's name is short, and the state directory is where this process stands. */
int open_state(struct supervisor *self) {
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
  return log_open(&self->log, &self->plan);
}

/* The groups made so far, or, before any was, those of the plan, whose text is a line each. */
static size_t list_groups(const struct supervisor *self, char *text, size_t room) {
  size_t length = 0;
  if (self->groups.count > 0)
    for (size_t i = 0; i < self->groups.count; i++)
      length += (size_t)snprintf(text + length, room > length ? room - length : 0, "%s\n", self->groups.paths[i]);
  else
    for (size_t i = 0; i < self->plan.count; i++)
      if (self->plan.steps[i].op == OP_CGROUP)
        length += (size_t)snprintf(text + length, room > length ? room - length : 0, "%s\n", arg_string(&self->plan.steps[i], 0));
  return length;
}

/*
 * For the daemon that comes after this one: who supervises, who is supervised, and which groups are theirs. First
 * written before anything is made, with a 0 for the one who is not there yet.
 */
int write_pids(struct supervisor *self) {
  char ticks[24], *text;
  int error = start_ticks(getpid(), ticks);
  if (error || *self->pid_name == 0) return error;
  size_t room = 128 + list_groups(self, NULL, 0);
  if ((text = malloc(room)) == NULL) return -ENOMEM;
  size_t length = (size_t)snprintf(text, room, "%d %s %d %s\n", getpid(), ticks, self->pid, self->pid == 0 ? "0" : self->ticks);
  length += list_groups(self, text + length, room - length);
  error = write_state_file(self, self->pid_name, text, length);
  free(text);
  return error;
}
