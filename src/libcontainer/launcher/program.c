/* The end of the child: finding the program, and becoming it, or its small parent. */
#include "step.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const char *value_of(const char *const *env, const char *name) {
  size_t length = strlen(name);
  for (; *env != NULL; env++)
    if (strncmp(*env, name, length) == 0 && (*env)[length] == '=') return *env + length + 1;
  return NULL;
}

static int examine(const char *path) {
  struct stat file;
  if (stat(path, &file) < 0) return -errno;
  if (S_ISDIR(file.st_mode)) return -EISDIR;
  if (!(file.st_mode & 0111)) return -EACCES;
  return (int)checked(faccessat(AT_FDCWD, path, X_OK, AT_EACCESS));
}

/* As execvp, but nothing is run by a shell, and only what may be run counts as found. */
static int find_program(const char *name, const char *const *env, char found[4096]) {
  if (strchr(name, '/') != NULL) {
    if (strlen(name) >= 4096) return -ENAMETOOLONG;
    strcpy(found, name);
    return examine(found);
  }
  const char *path = value_of(env, "PATH");
  if (path == NULL || *name == 0) return -ENOENT;
  for (;;) {
    size_t length = strcspn(path, ":");
    int size = snprintf(found, 4096, "%.*s%s%s", (int)length, length == 0 ? "." : path, "/", name);
    if (length == 0) size = snprintf(found, 4096, "./%s", name);
    if (size > 0 && size < 4096 && examine(found) == 0) return 0;
    if (path[length] == 0) return -ENOENT;
    path += length + 1;
  }
}

static int exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

/* Reaps whatever is orphaned and passes signals on, until the program itself has ended. */
static void reap_until(pid_t program) {
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    siginfo_t info;
    int number = sigwaitinfo(&all, &info);
    if (number > 0 && number != SIGCHLD) kill(program, number);
    if (number != SIGCHLD) continue;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
      if (pid == program) _exit(exit_code(status));
  }
}

/* As confined as its child: it will never exec, so that it can give up all at once. */
static void stay_behind(struct child *child, pid_t program) {
  syscall(SYS_close_range, 3, ~0u, 0);
  child->no_new_privileges = true;
  if (drop_capabilities(child) || install_seccomp(child)) _exit(1);
  reap_until(program);
}

/* The program gets a process group and the terminal of its own; its parent keeps nothing open of the launcher's. */
static int fork_program(struct child *child) {
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pid_t program = fork();
  if (program < 0) return -errno;
  if (program > 0) stay_behind(child, program);
  setpgid(0, 0);
  if (child->terminal >= 0) {
    pid_t group = getpid();
    ioctl(0, TIOCSPGRP, &group); /* SIGTTOU is blocked. */
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

static int take_streams(struct child *child) {
  if (!(arg_number(child->plan->steps, SET_FLAGS) & STDIO_TERMINAL)) return 0;
  /* Nothing is put into a /dev that is somebody else's, so no step came for it. */
  int error = child->terminal < 0 ? open_terminal(child, false) : 0;
  if (error) return error;
  if (ioctl(child->terminal, TIOCSCTTY, 0) < 0) return -errno;
  for (int fd = 0; fd < 3; fd++)
    if (dup2(child->terminal, fd) < 0) return -errno;
  return 0;
}

/* Everything before `ready` is done here as root; after `go` only looking, the filter and exec are left. */
int run_program(struct child *child, const struct step *step) {
  size_t args = arg_count(step, 0), vars = arg_count(step, 1), room = (args + vars + 3) * sizeof(char *);
  const char **argv = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (argv == MAP_FAILED) return -errno;
  const char **env = argv + args + 1;
  char found[4096], home[sizeof child->home + 8];
  if (arg_list(step, 0, argv, args) == 0) return -EINVAL;
  arg_list(step, 1, env, vars);
  snprintf(home, sizeof home, "HOME=%s", child->home);
  if (child->has_user && value_of(env, "HOME") == NULL) env[vars] = home;
  setsid();
  await_grant(child, GRANT_LINKS);
  int error = take_streams(child);
  if (!error) error = assume_identity(child);
  if (error) return error;
  struct message ready = {.word = WORD_READY};
  if ((error = tell(child->sync, &ready, NULL, 0))) return error;
  await_grant(child, GRANT_GO);
  if ((error = find_program(argv[0], env, found))) return strcpy(child->detail, "find"), error;
  syscall(SYS_close_range, 3, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */);
  if (arg_number(step, 2) && (error = fork_program(child))) return error;
  if ((error = install_seccomp(child))) return strcpy(child->detail, "seccomp"), error;
  execve(found, (char *const *)argv, (char *const *)env);
  return strcpy(child->detail, "exec"), -errno;
}
