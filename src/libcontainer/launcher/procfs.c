/*
 * Writes to procfs, only through a procfs this process has made itself and only below directories opened before
 * anything could be mounted over them.
 */
#include "step.h"
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#define PROC_MAGIC 0x9fa0

void keep_procfs(struct child *child, int mount) {
  if (child->proc >= 0) return;
  child->proc = fcntl(mount, F_DUPFD_CLOEXEC, 3);
  child->proc_sys = openat(mount, "sys", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* In a user namespace whose procfs is masked no new one may be made; then the root's, if it is one. */
static int need_procfs(struct child *child) {
  if (child->proc >= 0) return 0;
  AUTO_FD mount = new_mount("proc", "proc", "", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  if (mount == -EPERM) {
    struct statfs kind;
    mount = open_in_root(child->root, "proc", O_PATH | O_DIRECTORY);
    if (mount < 0) return mount;
    if (fstatfs(mount, &kind) < 0) return -errno;
    if (kind.f_type != PROC_MAGIC) return -EPERM;
  }
  if (mount < 0) return mount;
  keep_procfs(child, mount);
  return 0;
}

static int write_below(int directory, const char *path, const char *value) {
  struct open_how how = {.flags = O_WRONLY | O_CLOEXEC,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
  AUTO_FD fd = (int)checked(syscall(SYS_openat2, directory, path, &how, sizeof how));
  if (fd < 0) return fd;
  return (int)(write(fd, value, strlen(value)) < 0 ? -errno : 0);
}

/* `net.ipv4.ip_forward`; where the first separator is a slash, dots belong to the names. Source: sysctl(8). */
int step_sysctl(struct child *child, const struct step *step) {
  char path[512];
  const char *key = arg_string(step, 0);
  if (strlen(key) >= sizeof path) return -ENAMETOOLONG;
  strcpy(path, key);
  size_t first = strcspn(path, "./");
  if (path[first] == '.')
    for (char *at = path; *at != 0; at++) *at = *at == '.' ? '/' : *at == '/' ? '.' : *at;
  if (strncmp(path, "net/", 4) == 0) await_grant(child, GRANT_LINKS);
  int error = need_procfs(child);
  return error ? error : write_below(child->proc_sys, path, arg_string(step, 1));
}

int step_oom_score(struct child *child, const struct step *step) {
  char path[48], value[24];
  snprintf(path, sizeof path, "%d/oom_score_adj", getpid());
  snprintf(value, sizeof value, "%lld", (long long)arg_number(step, 0));
  int error = need_procfs(child);
  if (!error) error = write_below(child->proc, path, value);
  /* Only CAP_SYS_RESOURCE may lower it; a host without it cannot protect a container, and runs it. */
  return error == -EACCES ? 0 : error;
}

int step_apparmor(struct child *child, const struct step *step) {
  char path[48], value[512];
  int length = snprintf(value, sizeof value, "exec %s", arg_string(step, 0));
  if (length < 0 || (size_t)length >= sizeof value) return -ENAMETOOLONG;
  int error = need_procfs(child);
  if (error) return error;
  snprintf(path, sizeof path, "%d/attr/apparmor/exec", getpid());
  error = write_below(child->proc, path, value);
  if (error != -ENOENT) return error;
  snprintf(path, sizeof path, "%d/attr/exec", getpid());
  return write_below(child->proc, path, value);
}
