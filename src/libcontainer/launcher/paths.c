/* Paths inside the container's root, always by descriptor: a hostile image owns every name in it. */
#include "step.h"
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int open_within(int root, const char *path, struct open_how how) {
  /* EAGAIN means that something was renamed meanwhile; somebody who does that for ever gets an error. */
  for (int tries = 0; tries < 128; tries++) {
    int fd = (int)syscall(SYS_openat2, root, path[0] == 0 ? "." : path, &how, sizeof how);
    if (fd >= 0) return fd;
    if (errno != EAGAIN && errno != EINTR) return -errno;
  }
  return -EAGAIN;
}

int open_in_root(int root, const char *path, uint64_t flags) {
  return open_within(root, path, (struct open_how){.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS});
}

/* Never outside the directory, whatever is exchanged meanwhile: a link that leads out is EXDEV. */
int open_beneath(int directory, const char *path) {
  return open_within(directory, path, (struct open_how){.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS});
}

/* Opens the directory that holds the path's last component, made when missing, and points at that component. */
int open_parent(int root, const char *path, const char **name) {
  size_t length = strlen(path);
  const char *slash = memrchr(path, '/', length);
  *name = slash == NULL ? path : slash + 1;
  if (**name == 0 || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0) return -EINVAL;
  char parent[4096];
  size_t size = slash == NULL ? 0 : (size_t)(slash - path);
  if (size >= sizeof parent) return -ENAMETOOLONG;
  memcpy(parent, path, size);
  parent[size] = 0;
  return make_in_root(root, parent, 0755);
}

/* Puts what a dangling link says in place of the path's bytes from `start` to `prefix`, or of all of them. */
int follow_dangling(int directory, const char *name, char path[4096], size_t prefix, size_t start) {
  char target[4096], joined[8192];
  ssize_t length = readlinkat(directory, name, target, sizeof target - 1);
  if (length < 0) return -errno;
  target[length] = 0;
  int kept = target[0] == '/' ? 0 : (int)start;
  int size = snprintf(joined, sizeof joined, "%.*s%s%s", kept, path, target, path + prefix);
  if (size < 0 || size >= 4096) return -ENAMETOOLONG;
  memcpy(path, joined, (size_t)size + 1);
  return 0;
}

/* Makes the first missing directory of the path. 0: go on, 1: a link led elsewhere and the path has changed. */
static int make_first_missing(int root, char *path, mode_t mode) {
  for (size_t start = 0, end; path[start] != 0; start = end) {
    while (path[start] == '/') start++;
    for (end = start; path[end] != 0 && path[end] != '/';) end++;
    if (end == start) break;
    char saved = path[end], name[256];
    if (end - start >= sizeof name) return -ENAMETOOLONG;
    memcpy(name, path + start, end - start);
    name[end - start] = 0;
    path[end] = 0;
    AUTO_FD there = open_in_root(root, path, O_PATH | O_DIRECTORY);
    path[end] = saved;
    if (there >= 0) continue;
    if (there != -ENOENT) return there;
    char before[4096];
    memcpy(before, path, start);
    before[start] = 0;
    AUTO_FD parent = open_in_root(root, before, O_PATH | O_DIRECTORY);
    if (parent < 0) return parent;
    if (mkdirat(parent, name, mode) == 0) continue;
    if (errno != EEXIST) return -errno;
    AUTO_FD now = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (now >= 0) continue;
    int error = follow_dangling(parent, name, path, end, start);
    return error ? error : 1;
  }
  return 0;
}

/* A descriptor of the directory, which is made with its missing parents, links followed inside the root only. */
int make_in_root(int root, const char *path, mode_t mode) {
  int fd = open_in_root(root, path, O_PATH | O_DIRECTORY);
  if (fd != -ENOENT) return fd;
  char copy[4096];
  if (strlen(path) >= sizeof copy) return -ENAMETOOLONG;
  strcpy(copy, path);
  int outcome = 1;
  for (int links = 0; outcome == 1 && links < MAX_LINKS_FOLLOWED; links++)
    outcome = make_first_missing(root, copy, mode);
  if (outcome < 0) return outcome;
  return outcome == 1 ? -ELOOP : open_in_root(root, copy, O_PATH | O_DIRECTORY);
}

/* Field 22 of /proc/PID/stat, as text: a pid is believed only together with it. */
int start_ticks(pid_t pid, char ticks[24]) {
  char path[32], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  ssize_t length = read(fd, text, sizeof text - 1);
  if (length <= 0) return -EIO;
  text[length] = 0;
  char *at = strrchr(text, ')');
  for (int field = 2; at != NULL && field < 22; field++) at = strchr(at + 1, ' ');
  if (at == NULL) return -EIO;
  size_t size = strcspn(at + 1, " ");
  if (size >= 24) return -EIO;
  memcpy(ticks, at + 1, size);
  ticks[size] = 0;
  return 0;
}
