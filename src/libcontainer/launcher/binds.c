/* Binds and images: a part of some other tree, made detached, and put where the container shall see it. */
#include "step.h"
#include <linux/mount.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define MNT_DETACH 2

/* Arguments of OP_BIND. */
enum { SOURCE, TARGET, IS_RECURSIVE, IS_READONLY, IS_READONLY_BELOW, FLAGS, PROPAGATION, SUBPATH, UIDS, GIDS };
/* Arguments of OP_IMAGE beside those that it shares with OP_ROOT. */
enum { IMAGE_TARGET = 5, IMAGE_SUBPATH = 6 };

static bool has_ids(const struct step *step) { return step->op == OP_BIND && *arg_string(step, UIDS) != 0; }

/* A file that is missing is made, where links lead inside the root. */
static int make_file(int root, const char *path) {
  char copy[4096];
  if (strlen(path) >= sizeof copy) return -ENAMETOOLONG;
  strcpy(copy, path);
  for (int links = 0; links < MAX_LINKS_FOLLOWED; links++) {
    int there = open_in_root(root, copy, O_PATH);
    if (there != -ENOENT) return there;
    const char *name;
    AUTO_FD parent = open_parent(root, copy, &name);
    if (parent < 0) return parent;
    AUTO_FD made = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (made >= 0) return (int)checked(openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (errno != EEXIST) return -errno;
    size_t start = (size_t)(name - copy), end = strlen(copy);
    char link[256];
    if (end - start >= sizeof link) return -ENAMETOOLONG;
    strcpy(link, name);
    int error = follow_dangling(parent, link, copy, end, start);
    /* What was there a moment ago is gone, or is no link: look again. */
    if (error && error != -ENOENT && error != -EINVAL) return error;
  }
  return -ELOOP;
}

/* A target of the source's kind: binds of files need a file to cover. */
static int make_target(struct child *child, const char *path, int mount) {
  struct stat source;
  if (fstat(mount, &source) < 0) return -errno;
  return S_ISDIR(source.st_mode) ? make_in_root(child->root, path, 0755) : make_file(child->root, path);
}

static int clone_below(const char *source, const char *subpath, bool is_recursive) {
  AUTO_FD base = (int)checked(open(source, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (base < 0) return base;
  AUTO_FD inner = open_beneath(base, subpath);
  return inner < 0 ? inner : clone_mount(inner, "", is_recursive);
}

/* `part` is what failed, in a word for the report. */
static int open_bind(const struct step *step, const char **part) {
  const char *source = arg_string(step, SOURCE), *subpath = arg_string(step, SUBPATH);
  bool is_recursive = arg_number(step, IS_RECURSIVE);
  *part = *subpath == 0 ? "" : "subpath";
  AUTO_FD mount = is_foreign(source) ? clone_foreign(source, is_recursive)
                  : *subpath == 0    ? clone_mount(AT_FDCWD, source, is_recursive)
                                     : clone_below(source, subpath, is_recursive);
  if (mount < 0 || !has_ids(step)) return take_fd(&mount);
  *part = "idmap";
  int error = map_ids(mount, arg_string(step, UIDS), arg_string(step, GIDS));
  return error ? error : take_fd(&mount);
}

/*
 * Only what is mounted somewhere can be cloned in part by every kernel: for a moment the whole covers the root of
 * this mount namespace, which is nobody else's, and no path is looked up there meanwhile.
 */
static int clone_part(int tree, const char *subpath) {
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", tree);
  AUTO_FD slash = (int)checked(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (slash < 0) return slash;
  int error = place_mount(tree, slash);
  if (error) return error;
  AUTO_FD inner = open_beneath(tree, subpath);
  AUTO_FD mount = inner < 0 ? inner : clone_mount(inner, "", false);
  if (syscall(SYS_umount2, name, MNT_DETACH) < 0) return -errno;
  return take_fd(&mount);
}

static int open_image(const struct step *step, const char **part) {
  const char *subpath = arg_string(step, IMAGE_SUBPATH);
  AUTO_FD tree = mount_root(step, part);
  if (tree < 0 || *subpath == 0) return take_fd(&tree);
  int error = change_mount(tree, true, 0, MS_PRIVATE);
  if (error) return error;
  *part = "subpath";
  return clone_part(tree, subpath);
}

static int open_step(const struct step *step, const char **part) {
  *part = "";
  if (step->op == OP_ROOT) return mount_root(step, part);
  return step->op == OP_IMAGE ? open_image(step, part) : open_bind(step, part);
}

static int find_opened(const struct opened *opened, const struct step *step) {
  for (size_t i = 0; i < opened->count; i++)
    if (opened->mounts[i].step == step) return (int)i;
  return -1;
}

/* -1 when that step's mount was not made before. */
int take_opened(struct opened *opened, const struct step *step) {
  int found = find_opened(opened, step);
  return found < 0 ? -1 : take_fd(&opened->mounts[found].fd);
}

static bool is_wanted(const struct step *step, enum early which) {
  if (step->op != OP_BIND) return which == EARLY_ALL && (step->op == OP_ROOT || step->op == OP_IMAGE);
  if (which == EARLY_ALL) return true;
  if (which == EARLY_MAPPED) return has_ids(step);
  return arg_number(step, PROPAGATION) & MS_SHARED || is_foreign(arg_string(step, SOURCE));
}

int open_mounts(const struct plan *plan, struct opened *opened, enum early which) {
  for (size_t i = 0; i < plan->count; i++) {
    const struct step *step = &plan->steps[i];
    if (!is_wanted(step, which) || find_opened(opened, step) >= 0) continue;
    if (opened->count == MAX_OPENED) return -E2BIG;
    opened->last = step;
    AUTO_FD fd = open_step(step, &opened->part);
    if (fd < 0) return fd;
    /* Taken from the host's own namespace it would be the peer of what it is made from. */
    bool is_peer = step->op == OP_BIND && !(arg_number(step, PROPAGATION) & MS_SHARED);
    int error = is_peer ? change_mount(fd, true, 0, MS_SLAVE) : 0;
    if (error) return error;
    opened->mounts[opened->count].step = step;
    opened->mounts[opened->count++].fd = take_fd(&fd);
  }
  return 0;
}

/* The mount of a bind or image, made by now or here. */
static int obtain(struct child *child, const struct step *step) {
  int fd = take_opened(&child->opened, step);
  if (fd >= 0) return fd;
  const char *part;
  fd = open_step(step, &part);
  if (fd < 0) snprintf(child->detail, DETAIL_BYTES, "%s", part);
  return fd;
}

int step_bind(struct child *child, const struct step *step) {
  AUTO_FD mount = obtain(child, step);
  if (mount < 0) return mount;
  bool is_readonly = arg_number(step, IS_READONLY);
  uint64_t attributes = attributes_of(arg_number(step, FLAGS)) & ~(uint64_t)MOUNT_ATTR_RDONLY;
  uint64_t propagation = arg_number(step, PROPAGATION);
  if (is_readonly) attributes |= MOUNT_ATTR_RDONLY;
  int error = change_mount(mount, false, attributes, 0);
  if (!error && is_readonly && arg_number(step, IS_READONLY_BELOW))
    error = change_mount(mount, true, MOUNT_ATTR_RDONLY, 0);
  if (!error) error = change_mount(mount, propagation & MS_REC, 0, propagation ? propagation : MS_PRIVATE);
  if (error) return error;
  AUTO_FD target = make_target(child, arg_string(step, TARGET), mount);
  return target < 0 ? target : place_mount(mount, target);
}

int step_image(struct child *child, const struct step *step) {
  AUTO_FD mount = obtain(child, step);
  if (mount < 0) return mount;
  int error = change_mount(mount, true, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, MS_PRIVATE);
  if (error) return error;
  AUTO_FD target = make_target(child, arg_string(step, IMAGE_TARGET), mount);
  return target < 0 ? target : place_mount(mount, target);
}
