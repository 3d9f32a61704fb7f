/*
 * Mounts of another container, named `/proc/PID/root/…`. A mount can be cloned only by somebody in its own mount
 * namespace, so the launcher goes there for the moment, and finds the path as it is seen there.
 */
#include "step.h"
#include <sched.h>
#include <stdio.h>

/* Where the path inside the other root begins, or NULL for a path of the host's. */
static const char *inner_path(const char *path, int *pid) {
  int used = 0;
  return sscanf(path, "/proc/%d/root/%n", pid, &used) == 1 && used > 0 ? path + used : NULL;
}

bool is_foreign(const char *path) {
  int pid;
  return inner_path(path, &pid) != NULL;
}

/* Whose root it is may have put links anywhere: they lead inside that root only, and never through procfs. */
static int clone_here(const char *path, bool recursive) {
  AUTO_FD root = (int)checked(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (root < 0) return root;
  AUTO_FD found = open_in_root(root, path, O_PATH);
  return found < 0 ? found : clone_mount(found, "", recursive);
}

int clone_foreign(const char *path, bool recursive) {
  int pid;
  char name[64];
  const char *inner = inner_path(path, &pid);
  if (inner == NULL) return -EINVAL;
  snprintf(name, sizeof name, "/proc/%d/ns/mnt", pid);
  AUTO_FD home = (int)checked(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (home < 0) return home;
  AUTO_FD there = (int)checked(open(name, O_RDONLY | O_CLOEXEC));
  if (there < 0) return there;
  if (setns(there, CLONE_NEWNS) < 0) return -errno;
  AUTO_FD mount = clone_here(inner, recursive);
  return setns(home, CLONE_NEWNS) < 0 ? -errno : take_fd(&mount);
}
