/* Mounts whose owners look different from what is on disk. Source: mount_setattr(2), "ID-mapped mounts". */
#include "step.h"
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define RECURSIVE 0x8000 /* AT_RECURSIVE, which older C libraries lack. */

/* Lives until the launcher lets go of the pipe, by closing it or by dying. */
static _Noreturn void await_end(int pipe[2]) {
  char byte;
  close(pipe[1]);
  while (read(pipe[0], &byte, 1) < 0 && errno == EINTR) {
  }
  _exit(0);
}

static int write_map(pid_t pid, const char *name, const char *lines) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return write_file(path, lines);
}

static int take_namespace(pid_t pid, const char *uids, const char *gids) {
  char path[64];
  int error = write_map(pid, "uid_map", uids);
  if (!error) error = write_map(pid, "gid_map", gids);
  if (error) return error;
  snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
  return (int)checked(open(path, O_RDONLY | O_CLOEXEC));
}

/* A user namespace that nobody is in: its maps are all that is wanted of it. */
int open_id_map(const char *uids, const char *gids) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
  AUTO_FD in = ends[0];
  long pid = checked(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
  if (pid == 0) await_end(ends);
  int made = pid < 0 ? (int)pid : take_namespace((pid_t)pid, uids, gids);
  close(ends[1]);
  if (pid > 0)
    while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR) {
    }
  return made;
}

/* Who the first id of a map is, as the host sees it; where the map is a container's, its root. */
unsigned outside_of_root(const char *lines) {
  unsigned outside = 0;
  return sscanf(lines, "%*u %u", &outside) == 1 ? outside : 0;
}

int map_mount(int mount, int namespace, bool recursive) {
  struct mount_attr change = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)namespace};
  unsigned flags = AT_EMPTY_PATH | (recursive ? RECURSIVE : 0);
  return (int)checked(syscall(SYS_mount_setattr, mount, "", flags, &change, sizeof change));
}

int map_ids(int mount, const char *uids, const char *gids) {
  AUTO_FD namespace = open_id_map(uids, gids);
  return namespace < 0 ? namespace : map_mount(mount, namespace, false);
}
