/* The container's root, what is made in it before it is entered, and the entering. */
#include "step.h"
#include <linux/mount.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define MAX_OPTIONS 1024
#define PAGE 4096
#define MNT_DETACH 2

static int set_overlay_options(int fs, const char *const *options, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char key[64];
    const char *value = strchr(options[i], '=');
    size_t length = value == NULL ? strlen(options[i]) : (size_t)(value - options[i]);
    if (length >= sizeof key) return -EINVAL;
    memcpy(key, options[i], length);
    key[length] = 0;
    unsigned command = value == NULL ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
    if (syscall(SYS_fsconfig, fs, command, key, value == NULL ? NULL : value + 1, 0) < 0) return -errno;
  }
  return 0;
}

/* Kernels from 6.5 take layers one by one; others one page of text, which mount(2) carries. */
static int mount_by_steps(const struct step *step, const char *const *options, size_t count) {
  AUTO_FD fs = (int)checked(syscall(SYS_fsopen, arg_string(step, 0), FSOPEN_CLOEXEC));
  if (fs < 0) return fs;
  if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", arg_string(step, 1), 0) < 0) return -errno;
  int error = set_overlay_options(fs, options, count);
  if (error) return error;
  if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) return -errno;
  return (int)checked(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0));
}

/* Joins `lowerdir+` entries with colons, and everything with commas. */
static int join_options(char *page, const char *const *options, size_t count) {
  size_t used = 0;
  bool has_lower = false;
  for (int pass = 0; pass < 2; pass++)
    for (size_t i = 0; i < count; i++) {
      bool is_lower = strncmp(options[i], "lowerdir+=", 10) == 0;
      if (is_lower != (pass == 1)) continue;
      const char *lead = is_lower ? (has_lower ? ":" : ",lowerdir=") : ",";
      if (used == 0 && *lead == ',') lead++;
      int put = snprintf(page + used, PAGE - used, "%s%s", lead, options[i] + (is_lower ? 10 : 0));
      if (put < 0 || used + (size_t)put >= PAGE) return -E2BIG;
      used += (size_t)put;
      has_lower |= is_lower;
    }
  return 0;
}

/* Mounts over the directory that the paths start from, for a moment, and hands over a copy that is mounted nowhere. */
static int mount_by_page(const struct step *step, const char *const *options, size_t count) {
  char page[PAGE] = "";
  const char *directory = arg_string(step, 4);
  int error = join_options(page, options, count);
  if (error) return error;
  if (*directory == 0) return -EINVAL;
  if (syscall(SYS_mount, arg_string(step, 1), directory, arg_string(step, 0), arg_number(step, 2), page) < 0)
    return -errno;
  int copy = clone_mount(AT_FDCWD, directory, false);
  syscall(SYS_umount2, directory, MNT_DETACH);
  return copy;
}

int mount_unmapped(const struct step *step) {
  const char *options[MAX_OPTIONS], *directory = arg_string(step, 4);
  if (arg_count(step, 3) > MAX_OPTIONS) return -E2BIG;
  size_t count = arg_list(step, 3, options, MAX_OPTIONS);
  const char *source = arg_string(step, 1);
  bool is_bind = strcmp(arg_string(step, 0), "bind") == 0, is_single = strcmp(arg_string(step, 0), "bind-one") == 0;
  if ((is_bind || is_single) && is_foreign(source)) return clone_foreign(source, is_bind);
  if (is_bind || is_single) return clone_mount(AT_FDCWD, source, is_bind);
  if (*directory != 0 && chdir(directory) < 0) return -errno;
  int root = mount_by_steps(step, options, count);
  if (root == -EINVAL || root == -ENOSYS || root == -EPERM) root = mount_by_page(step, options, count);
  return chdir("/") < 0 ? -errno : root;
}

/*
 * The new root is put over the old one, where no path that is still to be bound can hide behind it. Slaves and not
 * private, because a bind may want to see what the host mounts later.
 */
int step_root(struct child *child, const struct step *step) {
  int error = open_mounts(child->plan, &child->opened, EARLY_SHARED);
  if (error) {
    child->step = child->opened.last;
    snprintf(child->detail, DETAIL_BYTES, "%s", child->opened.part);
    return error;
  }
  if (syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) return -errno;
  child->host_null = open("/dev/null", O_PATH | O_CLOEXEC);
  child->root = take_opened(&child->opened, step);
  const char *part = "";
  if (child->root < 0) child->root = mount_root(step, &part);
  snprintf(child->detail, DETAIL_BYTES, "%s", part);
  if (child->root < 0) return child->root;
  error = change_mount(child->root, true, 0, MS_PRIVATE);
  if (error) return error;
  AUTO_FD slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if ((error = place_mount(child->root, slash))) return error;
  child->root_is_readonly = arg_number(step, 5);
  child->has_root = true;
  return 0;
}

int step_pivot(struct child *child, const struct step *step) {
  int error = child->root_is_readonly ? change_mount(child->root, false, MOUNT_ATTR_RDONLY, 0) : 0;
  if (error) return error;
  if (fchdir(child->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) return -errno;
  /* The old root now covers the new one. It was made a slave with all in it, so its unmounting stays our own affair. */
  if (syscall(SYS_umount2, ".", MNT_DETACH) < 0 || chdir("/") < 0) return -errno;
  child->has_pivoted = true;
  return change_mount(child->root, false, 0, arg_number(step, 0));
}

int step_mkdir(struct child *child, const struct step *step) {
  AUTO_FD made = make_in_root(child->root, arg_string(step, 0), (mode_t)arg_number(step, 1));
  return made < 0 ? made : 0;
}

/* Where nodes may not be made (a user namespace), the host's own node is bound, if it is the same device. */
static int bind_node(struct child *child, const struct step *step, int parent, const char *name) {
  struct stat node;
  AUTO_FD host = open(arg_string(step, 0), O_PATH | O_CLOEXEC);
  if (host < 0 || fstat(host, &node) < 0) return -errno;
  mode_t kind = (mode_t)arg_number(step, 1) & S_IFMT;
  dev_t device = makedev((unsigned)arg_number(step, 2), (unsigned)arg_number(step, 3));
  if ((node.st_mode & S_IFMT) != kind || node.st_rdev != device || child->has_pivoted) return -EPERM;
  AUTO_FD target = openat(parent, name, O_CREAT | O_EXCL | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (target < 0) return -errno;
  AUTO_FD mount = clone_mount(host, "", false);
  return mount < 0 ? mount : place_mount(mount, target);
}

int step_mknod(struct child *child, const struct step *step) {
  const char *name;
  AUTO_FD parent = open_parent(child->root, arg_string(step, 0), &name);
  if (parent < 0) return parent;
  mode_t mode = (mode_t)arg_number(step, 1);
  dev_t device = makedev((unsigned)arg_number(step, 2), (unsigned)arg_number(step, 3));
  uid_t uid = (uid_t)arg_number(step, 4);
  gid_t gid = (gid_t)arg_number(step, 5);
  if (mknodat(parent, name, mode, device) < 0) {
    if (errno == EPERM) return bind_node(child, step, parent, name);
    struct stat there;
    if (errno != EEXIST || fstatat(parent, name, &there, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    bool is_same = (there.st_mode & S_IFMT) == (mode & S_IFMT) && there.st_rdev == device;
    return is_same ? 0 : -EEXIST;
  }
  if (uid == 0 && gid == 0) return 0;
  return fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int step_symlink(struct child *child, const struct step *step) {
  const char *name;
  AUTO_FD parent = open_parent(child->root, arg_string(step, 0), &name);
  if (parent < 0) return parent;
  return symlinkat(arg_string(step, 1), parent, name) < 0 && errno != EEXIST ? -errno : 0;
}

/* A working directory is only believed when the kernel itself can name it from the new root. */
int step_chdir(struct child *child, const struct step *step) {
  const char *path = arg_string(step, 0);
  AUTO_FD directory = arg_number(step, 1) ? make_in_root(child->root, path, 0755)
                                          : open_in_root(child->root, path, O_PATH | O_DIRECTORY);
  if (directory < 0) return directory;
  if (fchdir(directory) < 0) return -errno;
  char where[4096];
  long length = checked(syscall(SYS_getcwd, where, sizeof where));
  if (length < 0) return (int)length;
  return where[0] == '/' ? 0 : -ENOENT;
}
