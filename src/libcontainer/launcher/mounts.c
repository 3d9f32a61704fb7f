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
#define PAGE 4096
#define PROPAGATIONS (MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE)

uint64_t attributes_of(uint64_t flags) {
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

/* A tmpfs that is not told its mode takes that of the directory it covers; without one it has the kernel's, 1777. */
static int inherit_mode(struct child *child, const struct step *step, char data[PAGE]) {
  const char *asked = arg_string(step, 4), *comma = strlen(asked) > 0 ? "," : "";
  bool is_told = strncmp(asked, "mode=", 5) == 0 || strstr(asked, ",mode=") != NULL;
  AUTO_FD covered = is_told || strcmp(arg_string(step, 0), "tmpfs") != 0
                        ? -1
                        : open_in_root(child->root, arg_string(step, 2), O_PATH | O_DIRECTORY);
  struct stat look;
  bool takes_over = covered >= 0 && fstat(covered, &look) == 0;
  int size = takes_over ? snprintf(data, PAGE, "mode=%o%s%s", look.st_mode & 07777, comma, asked)
                        : snprintf(data, PAGE, "%s", asked);
  return size < 0 || size >= PAGE ? -E2BIG : 0;
}

int step_mount(struct child *child, const struct step *step) {
  const char *type = arg_string(step, 0), *target = arg_string(step, 2);
  uint64_t flags = arg_number(step, 3), mode = arg_number(step, 5);
  char data[PAGE];
  if (flags & MS_REMOUNT) {
    AUTO_FD there = open_in_root(child->root, target, O_PATH);
    return there < 0 ? there : change_mount(there, false, attributes_of(flags), 0);
  }
  int error = inherit_mode(child, step, data);
  if (error) return error;
  AUTO_FD directory = make_in_root(child->root, target, mode == 0 ? 0755 : (mode_t)(mode - 1));
  if (directory < 0) return directory;
  AUTO_FD mount = new_mount(type, arg_string(step, 1), data, flags);
  if (mount < 0) return mount;
  if (strcmp(type, "proc") == 0) keep_procfs(child, mount);
  error = place_mount(mount, directory);
  return error ? error : change_mount(mount, false, 0, MS_PRIVATE);
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
