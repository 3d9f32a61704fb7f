/*
 * Containers that an OCI runtime makes: this supervisor mounts the root where the bundle says, in a mount namespace
 * of its own, writes down who the program runs as, runs the runtime, and keeps what it leaves: the first process.
 */
#include "step.h"
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#define MAX_ARGS 64
#define MNT_DETACH 2
/* A runtime that hangs keeps nobody waiting for the end of a container that has ended. */
#define DELETE_MILLISECONDS 10000

static const struct step *runtime_step(const struct plan *plan, enum runtime_verb verb) {
  for (size_t i = 0; i < plan->count; i++)
    if (plan->steps[i].op == OP_RUNTIME && arg_number(&plan->steps[i], 0) == verb) return &plan->steps[i];
  return NULL;
}

/* The step with which the runtime makes the process; NULL in a plan that needs none. */
const struct step *making_step(const struct plan *plan) {
  const struct step *create = runtime_step(plan, VERB_CREATE);
  return create != NULL ? create : runtime_step(plan, VERB_EXEC);
}

static void become_runtime(const struct supervisor *self, const char *const *args, const int *streams) {
  static const char *const ENVIRONMENT[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
  sigset_t none;
  sigemptyset(&none);
  for (int fd = 0; fd < 3; fd++)
    if (dup2(streams[fd], fd) < 0) _exit(125);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (fchdir(self->state) < 0 || syscall(SYS_close_range, 3, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */) < 0) _exit(125);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(args[0], (char *const *)args, (char *const *)ENVIRONMENT);
  _exit(127);
}

/* Until it has ended. The daemon's death, or its word, ends it where `control` is its hand; the time does too. */
static int await_runtime(pid_t pid, int control, int limit) {
  int status, error = 0;
  AUTO_FD pidfd = (int)checked(syscall(SYS_pidfd_open, pid, 0));
  struct pollfd polls[2] = {{pidfd, POLLIN, 0}, {control, POLLIN, 0}};
  int ready;
  while ((ready = poll(polls, 2, limit)) < 0 && errno == EINTR) continue;
  if (ready <= 0) error = -ETIMEDOUT;
  if (ready > 0 && polls[1].revents && !polls[0].revents) error = -ECANCELED;
  if (error) kill(pid, SIGKILL);
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -errno;
  if (error) return error;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPROTO;
}

static int run_step(const struct supervisor *self, const struct step *step, const int *streams) {
  const char *args[MAX_ARGS + 1] = {NULL};
  if (arg_count(step, 2) > MAX_ARGS || arg_list(step, 2, args, MAX_ARGS) == 0) return -E2BIG;
  pid_t pid = fork();
  if (pid < 0) return -errno;
  if (pid == 0) become_runtime(self, args, streams);
  return await_runtime(pid, self->control, -1);
}

static int run_quietly(const struct supervisor *self, const struct step *step) {
  AUTO_FD null = open("/dev/null", O_RDWR | O_CLOEXEC);
  int streams[3] = {null, null, null};
  return null < 0 ? -errno : run_step(self, step, streams);
}

/* What must outlive the plan: how the container is deleted. */
static int keep_delete(struct supervisor *self) {
  const struct step *step = runtime_step(&self->plan, VERB_DELETE);
  const char *args[MAX_ARGS] = {NULL};
  if (step == NULL) return 0;
  size_t count = arg_list(step, 2, args, MAX_ARGS);
  self->delete_args = calloc(count + 1, sizeof(char *));
  for (size_t i = 0; self->delete_args != NULL && i < count; i++)
    if ((self->delete_args[i] = strdup(args[i])) == NULL) return -ENOMEM;
  return self->delete_args == NULL ? -ENOMEM : 0;
}

void delete_by_runtime(struct supervisor *self) {
  if (self->delete_args == NULL) return;
  AUTO_FD null = open("/dev/null", O_RDWR | O_CLOEXEC);
  int streams[3] = {null, null, null};
  pid_t pid = fork();
  if (pid == 0) become_runtime(self, (const char *const *)self->delete_args, streams);
  if (pid > 0) await_runtime(pid, -1, DELETE_MILLISECONDS);
  self->delete_args = NULL;
}

/* Nothing of it shows on the host, and it ends with this process. */
static int place_root(struct start *start, const struct step *step) {
  struct supervisor *self = start->self;
  if (unshare(CLONE_NEWNS) < 0 || syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) return -errno;
  /* What was opened before is in the namespace that was left, and there nothing can be mounted from here. */
  close_fd(&self->state);
  self->state = open(arg_string(self->plan.steps, SET_STATE), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (self->state < 0) return -errno;
  const char *part = "";
  AUTO_FD root = mount_root(step, &part);
  if (root < 0) return root;
  int error = change_mount(root, true, 0, MS_PRIVATE);
  if (error) return error;
  if (mkdirat(self->state, ROOT_NAME, 0700) < 0 && errno != EEXIST) return -errno;
  AUTO_FD target = openat(self->state, ROOT_NAME, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (target < 0) return -errno;
  if ((error = place_mount(root, target))) return error;
  start->asked.root = take_fd(&root);
  return 0;
}

/* The runtime has it in the container's own namespace by now. */
static void leave_root(struct start *start) {
  if (start->asked.root < 0 || start->target >= 0) return;
  close_fd(&start->asked.root);
  start->asked.root = -1;
  if (fchdir(start->self->state) == 0) syscall(SYS_umount2, ROOT_NAME, MNT_DETACH);
  if (chdir("/") < 0) return;
}

/* Of a container that runs, as it is seen from inside, and believed only while it is still that container's. */
static int open_running_root(struct start *start) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/root", (int)arg_number(start->self->plan.steps, SET_TARGET_PID));
  start->asked.root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (start->asked.root < 0) return -errno;
  return (int)checked(syscall(SYS_pidfd_send_signal, start->target, 0, NULL, 0));
}

/* The program's identity as the OCI runtime specification words it, "POSIX process user". */
static int write_identity(int fd, const struct child *asked) {
  char text[64 + MAX_GROUPS * 12];
  int length = snprintf(text, sizeof text, "{\"uid\":%u,\"gid\":%u,\"umask\":18,\"additionalGids\":[", asked->uid, asked->gid);
  for (size_t i = 0; i < asked->group_count; i++)
    length += snprintf(text + length, sizeof text - (size_t)length, "%s%u", i == 0 ? "" : ",", asked->groups[i]);
  int error = write_all(fd, text, (size_t)length);
  return error ? error : write_all(fd, "]}", 2);
}

static int write_home(int fd, const struct child *asked) {
  char text[sizeof asked->home * 6 + 16], *end = PUT(text, ",\"HOME=");
  end = escape_json(end, (const uint8_t *)asked->home, (const uint8_t *)asked->home + strlen(asked->home));
  end = PUT(end, "\"");
  return write_all(fd, text, (size_t)(end - text));
}

/* Text with two gaps, for the user's identity and, where the environment lacks it, the home directory. */
static int write_bundle(struct start *start, const struct step *step) {
  struct child *asked = &start->asked;
  AUTO_FD fd = openat(start->self->state, arg_string(step, 0), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  const char *before = arg_string(step, 1), *between = arg_string(step, 2), *after = arg_string(step, 3);
  int error = write_all(fd, before, strlen(before));
  if (!error) error = write_identity(fd, asked);
  if (!error) error = write_all(fd, between, strlen(between));
  if (!error && arg_number(step, 4)) error = write_home(fd, asked);
  return error ? error : write_all(fd, after, strlen(after));
}

static int look_up_user(struct start *start, const struct step *step) {
  struct child *asked = &start->asked;
  int error = asked->root < 0 ? open_running_root(start) : 0;
  if (error) return error;
  asked->detail = start->detail;
  return step_user(asked, step);
}

/* The runtime hands over a terminal's master through a socket that it is told the name of. */
static int listen_for_console(struct supervisor *self) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = CONSOLE_NAME};
  if (!self->terminal.is_pty) return -1;
  AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || fchdir(self->state) < 0) return -errno;
  unlink(CONSOLE_NAME);
  umask(0177);
  int error = (int)checked(bind(fd, (void *)&address, sizeof address));
  umask(022);
  if (chdir("/") < 0 || error || listen(fd, 1) < 0) return error ? error : -errno;
  return take_fd(&fd);
}

static int take_console(struct supervisor *self, int listening) {
  char name[4096], space[CMSG_SPACE(sizeof(int))];
  struct iovec part = {name, sizeof name};
  struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
  struct winsize size = {.ws_row = (unsigned short)arg_number(self->plan.steps, SET_ROWS),
                         .ws_col = (unsigned short)arg_number(self->plan.steps, SET_COLUMNS)};
  unlinkat(self->state, CONSOLE_NAME, 0);
  AUTO_FD peer = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (peer < 0 || recvmsg(peer, &head, MSG_CMSG_CLOEXEC) < 0) return -errno;
  struct cmsghdr *rider = CMSG_FIRSTHDR(&head);
  if (rider == NULL || rider->cmsg_type != SCM_RIGHTS || rider->cmsg_len != CMSG_LEN(sizeof(int))) return -EPROTO;
  int master;
  memcpy(&master, CMSG_DATA(rider), sizeof master);
  fcntl(master, F_SETFL, O_NONBLOCK);
  if (size.ws_row > 0) ioctl(master, TIOCSWINSZ, &size);
  self->terminal.in = self->terminal.out = master;
  /* Held so that a program which lets go of it for a moment does not end the stream. */
  self->terminal.slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  return 0;
}

static int read_pid(int directory, pid_t *pid) {
  char text[24] = "";
  AUTO_FD fd = openat(directory, INIT_PID_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) return -ESRCH;
  *pid = atoi(text);
  unlinkat(directory, INIT_PID_NAME, 0);
  return *pid > 1 ? 0 : -EPROTO;
}

/* Orphans of the runtime become children of this process for as long as it makes something, and their end is told. */
static int make_by_runtime(struct start *start, const struct step *step) {
  struct supervisor *self = start->self;
  AUTO_FD console = listen_for_console(self);
  if (console < 0 && self->terminal.is_pty) return console;
  unlinkat(self->state, INIT_PID_NAME, 0);
  int error = keep_delete(self);
  if (error || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) return error ? error : -errno;
  error = run_step(self, step, start->child_streams);
  prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
  close_child_streams(start);
  leave_root(start);
  if (error || (error = read_pid(self->state, &self->pid))) return error;
  self->pidfd = (int)checked(syscall(SYS_pidfd_open, self->pid, 0));
  if (self->pidfd < 0) return self->pidfd;
  if ((error = start_ticks(self->pid, self->ticks))) return error;
  if (console >= 0 && (error = take_console(self, console))) return error;
  start->clone_flags = arg_number(step, 1);
  return 0;
}

/* The network's own settings, once its links are there: procfs shows whoever looks the network that it is in. */
static int set_in_network(struct start *start, const struct step *step) {
  int status;
  start->asked.detail = start->detail;
  pid_t pid = fork();
  if (pid < 0) return -errno;
  if (pid == 0) _exit(setns(start->self->links.child, CLONE_NEWNET) < 0 ? errno : -step_sysctl(&start->asked, step));
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -errno;
  return WIFEXITED(status) ? -WEXITSTATUS(status) : -EPROTO;
}

/* A command that shall end whole is moved to a group of its own, once there is something to be moved. */
static int move_to_group(const struct supervisor *self, const struct step *step) {
  char path[4096], pid[24];
  if (snprintf(path, sizeof path, "%s/cgroup.procs", arg_string(step, 0)) >= (int)sizeof path) return -ENAMETOOLONG;
  snprintf(pid, sizeof pid, "%d", self->pid);
  int error = write_file(path, pid);
  return error == -ESRCH ? 0 : error;
}

int obey_runtime_step(struct start *start, const struct step *step) {
  switch (step->op) {
    case OP_ROOT: return place_root(start, step);
    case OP_USER: return look_up_user(start, step);
    case OP_BUNDLE: return write_bundle(start, step);
    case OP_SYSCTL: return set_in_network(start, step);
    case OP_RUNTIME:
      if (arg_number(step, 0) != VERB_CREATE) return 0;
      int error = make_by_runtime(start, step);
      return error ? error : open_child_network(start);
    default: return obey_host_step(start, step);
  }
}

/* The daemon has said go. */
int begin_by_runtime(struct start *start) {
  struct plan *plan = &start->self->plan;
  const struct step *first = runtime_step(plan, VERB_START), *command = runtime_step(plan, VERB_EXEC);
  start->step = first != NULL ? first : command;
  int error = first != NULL ? run_quietly(start->self, first) : make_by_runtime(start, command);
  for (size_t i = 0; !error && command != NULL && i < plan->count; i++)
    if (plan->steps[i].op == OP_CGROUP_JOIN) error = move_to_group(start->self, start->step = &plan->steps[i]);
  return error;
}
