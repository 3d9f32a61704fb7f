/* The container's terminal: a pty of its own devpts, the slave reached from the master and by no path. */
#include "step.h"
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define DEVPTS_MAGIC 0x1cd1
#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

static int open_master(struct child *child) {
  AUTO_FD node = open_in_root(child->root, "dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW);
  if (node < 0) return node;
  struct stat node_stat;
  struct statfs system;
  if (fstat(node, &node_stat) < 0 || fstatfs(node, &system) < 0) return -errno;
  if (system.f_type != DEVPTS_MAGIC || node_stat.st_rdev != makedev(5, 2)) return -ENODEV;
  return take_fd(&node);
}

static int cover_console(struct child *child, int slave) {
  AUTO_FD directory = make_in_root(child->root, "dev", 0755);
  if (directory < 0) return directory;
  AUTO_FD made = openat(directory, "console", O_CREAT | O_EXCL | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (made < 0 && errno != EEXIST) return -errno;
  AUTO_FD target = openat(directory, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (target < 0) return -errno;
  AUTO_FD mount = clone_mount(slave, "", false);
  return mount < 0 ? mount : place_mount(mount, target);
}

/* Both ends go to the supervisor: while it holds the slave, a program that closes its own does not hang up. */
int open_terminal(struct child *child, bool covers_console) {
  int unlock = 0;
  AUTO_FD master = open_master(child);
  if (master < 0) return master;
  if (ioctl(master, TIOCSPTLCK, &unlock) < 0) return -errno;
  AUTO_FD slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return -errno;
  int error = covers_console ? cover_console(child, slave) : 0;
  if (error) return error;
  const struct step *settings = &child->plan->steps[0];
  struct winsize size = {.ws_row = (unsigned short)arg_number(settings, SET_ROWS),
                         .ws_col = (unsigned short)arg_number(settings, SET_COLUMNS)};
  if (size.ws_row != 0 && ioctl(master, TIOCSWINSZ, &size) < 0) return -errno;
  struct message word = {.word = WORD_TERMINAL};
  int ends[2] = {master, slave};
  if ((error = tell(child->sync, &word, ends, 2))) return error;
  child->terminal = take_fd(&slave);
  return 0;
}

int step_console(struct child *child, const struct step *step) {
  (void)step;
  return open_terminal(child, child->has_root);
}
