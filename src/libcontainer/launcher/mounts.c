/*
 * Mounts, made detached and put onto descriptors of their targets, so that no path inside the root is ever
 * resolved twice or outside it. Source: open_tree(2), move_mount(2), fsopen(2), mount_setattr(2).
 */
#include "step.h"
#include <linux/mount.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define RECURSIVE 0x8000 /* AT_RECURSIVE, which older C libraries lack. */
#define PROPAGATIONS (MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE)

static uint64_t attributes_of(uint64_t flags) {
  uint64_t attributes = 0;
  if (flags & MS_RDONLY) attributes |= MOUNT_ATTR_RDONLY;
  if (flags & MS_NOSUID) attributes |= MOUNT_ATTR_NOSUID;
  if (flags & MS_NODEV) attributes |= MOUNT_ATTR_NODEV;
  if (flags & MS_NOEXEC) attributes |= MOUNT_ATTR_NOEXEC;
  if (flags & MS_NODIRATIME) attributes |= MOUNT_ATTR_NODIRATIME;
  if (flags & MS_NOSYMFOLLOW) attributes |= MOUNT_ATTR_NOSYMFOLLOW;
  if (flags & MS_NOATIME) attributes |= MOUNT_ATTR_NOATIME;
  else if (flags & MS_STRICTATIME) attributes |= MOUNT_ATTR_STRICTATIME;
  return attributes;
}

int change_mount(int mount, bool recursive, uint64_t attributes, uint64_t propagation) {
  struct mount_attr change = {.attr_set = attributes, .propagation = propagation & PROPAGATIONS};
  if (attributes & MOUNT_ATTR__ATIME) change.attr_clr = MOUNT_ATTR__ATIME;
  if (attributes == 0 && change.propagation == 0) return 0;
  unsigned flags = AT_EMPTY_PATH | (recursive ? RECURSIVE : 0);
  return (int)checked(syscall(SYS_mount_setattr, mount, "", flags, &change, sizeof change));
}

int clone_mount(int at, const char *path, bool recursive) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? RECURSIVE : 0);
  return (int)checked(syscall(SYS_open_tree, at, path, flags | (*path == 0 ? AT_EMPTY_PATH : 0)));
}

int place_mount(int mount, int target) {
  unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  return (int)checked(syscall(SYS_move_mount, mount, "", target, "", flags));
}

/* `key=value` or `key`, as the part of a mount's data between two commas. */
static int set_option(int fs, const char *option, size_t length) {
  char text[4096];
  if (length >= sizeof text) return -EINVAL;
  memcpy(text, option, length);
  text[length] = 0;
  char *value = strchr(text, '=');
  if (value == NULL) return (int)checked(syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, text, NULL, 0));
  *value++ = 0;
  return (int)checked(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, text, value, 0));
}

/* A new file system, mounted nowhere yet. */
int new_mount(const char *type, const char *source, const char *data, uint64_t flags) {
  AUTO_FD fs = (int)checked(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
  if (fs < 0) return fs;
  long error = 0;
  if (*source != 0) error = checked(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", source, 0));
  while (error == 0 && *data != 0) {
    size_t length = strcspn(data, ",");
    if (length > 0) error = set_option(fs, data, length);
    data += length + (data[length] == ',');
  }
  if (error == 0) error = checked(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
  if (error < 0) return (int)error;
  return (int)checked(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes_of(flags)));
}

int step_mount(struct child *child, const struct step *step) {
  const char *type = arg_string(step, 0), *target = arg_string(step, 2);
  uint64_t flags = arg_number(step, 3), mode = arg_number(step, 5);
  if (flags & MS_REMOUNT) {
    AUTO_FD there = open_in_root(child->root, target, O_PATH);
    return there < 0 ? there : change_mount(there, false, attributes_of(flags), 0);
  }
  AUTO_FD directory = make_in_root(child->root, target, mode == 0 ? 0755 : (mode_t)(mode - 1));
  if (directory < 0) return directory;
  AUTO_FD mount = new_mount(type, arg_string(step, 1), arg_string(step, 4), flags);
  if (mount < 0) return mount;
  if (strcmp(type, "proc") == 0) keep_procfs(child, mount);
  int error = place_mount(mount, directory);
  return error ? error : change_mount(mount, false, 0, MS_PRIVATE);
}

/* A target of the source's kind: binds of files need a file to cover. */
static int make_bind_target(struct child *child, const char *path, bool is_directory) {
  if (is_directory) return make_in_root(child->root, path, 0755);
  int there = open_in_root(child->root, path, O_PATH);
  if (there != -ENOENT) return there;
  const char *name;
  AUTO_FD parent = open_parent(child->root, path, &name);
  if (parent < 0) return parent;
  AUTO_FD made = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (made < 0 && errno != EEXIST) return -errno;
  return (int)checked(openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

static int open_bind(const struct step *step) {
  const char *source = arg_string(step, 0);
  if (is_foreign(source)) return clone_foreign(source, arg_number(step, 2));
  return clone_mount(AT_FDCWD, source, arg_number(step, 2));
}

/* -1 when that step's mount was not made before. */
int take_opened(struct opened *opened, const struct step *step) {
  for (size_t i = 0; i < opened->count; i++)
    if (opened->mounts[i].step == step) return take_fd(&opened->mounts[i].fd);
  return -1;
}

int open_mounts(const struct plan *plan, struct opened *opened, bool takes_all) {
  for (size_t i = 0; i < plan->count; i++) {
    const struct step *step = &plan->steps[i];
    bool is_bind = step->op == OP_BIND && (takes_all || arg_number(step, 6) & MS_SHARED || is_foreign(arg_string(step, 0)));
    if (!is_bind && !(takes_all && step->op == OP_ROOT)) continue;
    if (opened->count == MAX_OPENED) return -E2BIG;
    int fd = is_bind ? open_bind(step) : mount_root(step);
    opened->last = step;
    if (fd < 0) return fd;
    opened->mounts[opened->count].step = step;
    opened->mounts[opened->count++].fd = fd;
  }
  return 0;
}

int step_bind(struct child *child, const struct step *step) {
  AUTO_FD mount = take_opened(&child->opened, step);
  if (mount < 0) mount = open_bind(step);
  if (mount < 0) return mount;
  struct stat source;
  if (fstat(mount, &source) < 0) return -errno;
  bool is_recursive = arg_number(step, 2), is_readonly = arg_number(step, 3);
  uint64_t attributes = attributes_of(arg_number(step, 5)) & ~(uint64_t)MOUNT_ATTR_RDONLY;
  uint64_t propagation = arg_number(step, 6);
  if (is_readonly) attributes |= MOUNT_ATTR_RDONLY;
  int error = change_mount(mount, false, attributes, 0);
  if (!error && is_readonly && arg_number(step, 4)) error = change_mount(mount, true, MOUNT_ATTR_RDONLY, 0);
  if (!error) error = change_mount(mount, is_recursive, 0, propagation ? propagation : MS_PRIVATE);
  if (error) return error;
  AUTO_FD target = make_bind_target(child, arg_string(step, 1), S_ISDIR(source.st_mode));
  return target < 0 ? target : place_mount(mount, target);
}

static bool is_null(int fd) {
  struct stat null;
  return fd >= 0 && fstat(fd, &null) == 0 && S_ISCHR(null.st_mode) && null.st_rdev == makedev(1, 3);
}

/*
 * The null device, proven by its numbers: a container that swaps it must not choose what covers a secret. Where the
 * container has none the host's stands in, and as its node is the host's, nobody may change it through the mount.
 */
static int open_null(struct child *child) {
  AUTO_FD own = open_in_root(child->root, "dev/null", O_PATH | O_NOFOLLOW);
  int source = is_null(own) ? own : child->has_pivoted ? -1 : child->host_null;
  if (!is_null(source)) return -ENODEV;
  AUTO_FD mount = clone_mount(source, "", false);
  if (mount < 0) return mount;
  int error = change_mount(mount, false, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0);
  return error ? error : take_fd(&mount);
}

static int open_empty(struct child *child) {
  if (child->empty >= 0) return clone_mount(child->empty, "", false);
  int mount = new_mount("tmpfs", "tmpfs", "size=0k,nr_inodes=2,mode=755", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
  if (mount >= 0) child->empty = fcntl(mount, F_DUPFD_CLOEXEC, 3);
  return mount;
}

int step_mask(struct child *child, const struct step *step) {
  AUTO_FD target = open_in_root(child->root, arg_string(step, 0), O_PATH);
  if (target == -ENOENT || target == -ENOTDIR) return 0;
  if (target < 0) return target;
  struct stat covered;
  if (fstat(target, &covered) < 0) return -errno;
  AUTO_FD mount = S_ISDIR(covered.st_mode) ? open_empty(child) : open_null(child);
  if (mount < 0) return mount;
  int error = place_mount(mount, target);
  return error ? error : change_mount(mount, false, 0, MS_PRIVATE);
}

int step_readonly(struct child *child, const struct step *step) {
  AUTO_FD target = open_in_root(child->root, arg_string(step, 0), O_PATH);
  if (target == -ENOENT || target == -ENOTDIR) return 0;
  if (target < 0) return target;
  AUTO_FD mount = clone_mount(target, "", true);
  if (mount < 0) return mount;
  int error = change_mount(mount, true, MOUNT_ATTR_RDONLY, 0);
  return error ? error : place_mount(mount, target);
}
