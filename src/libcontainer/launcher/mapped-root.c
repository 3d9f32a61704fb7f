/*
 * A root whose owners look different from what is on disk. The kernel's overlay cannot be mapped itself, but what it
 * merges can: for a moment mapped copies cover the layers' directory, in a mount namespace that is nobody else's.
 * Source: mount_setattr(2), "ID-mapped mounts"; kernel, Documentation/filesystems/overlayfs.rst, "Permission model".
 */
#include "step.h"
#include <linux/mount.h>
#include <linux/stat.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define MNT_DETACH 2
#define KEEP_CAPABILITIES 4 /* SECBIT_NO_SETUID_FIXUP, which linux/securebits.h makes from two macros. */
#define MAX_LAYERS 1024
#define LOWER "lowerdir+="
/* Arguments of OP_ROOT and OP_IMAGE. */
enum { OPTIONS = 3, DIRECTORY = 4, UIDS = 7, GIDS = 8 };

static int mount_number(int fd, uint64_t *number) {
  struct statx look;
  if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &look) < 0) return -errno;
  *number = look.stx_mnt_id;
  return 0;
}

/* Layers that are file systems of their own, mapped too: what covers the directory does not have them. */
struct parts {
  struct {
    const char *name;
    int fd;
  } of[MAX_LAYERS];
  size_t count;
};

static void close_parts(struct parts *parts) {
  for (size_t i = 0; i < parts->count; i++) close(parts->of[i].fd);
}

static int map_part(struct parts *parts, int below, int ids, const char *layer) {
  uint64_t all = 0, own = 0;
  AUTO_FD there = (int)checked(openat(below, layer, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (there < 0) return there;
  int error = mount_number(below, &all);
  if (!error) error = mount_number(there, &own);
  if (error || all == own) return error;
  AUTO_FD mapped = clone_mount(there, "", false);
  if (mapped < 0) return mapped;
  if ((error = map_mount(mapped, ids, false))) return error;
  parts->of[parts->count].name = layer;
  parts->of[parts->count++].fd = take_fd(&mapped);
  return 0;
}

static int map_parts(struct parts *parts, const struct step *step, int below, int ids) {
  const char *options[MAX_LAYERS];
  size_t count = arg_list(step, OPTIONS, options, MAX_LAYERS);
  int error = 0;
  for (size_t i = 0; !error && i < count; i++)
    if (strncmp(options[i], LOWER, strlen(LOWER)) == 0)
      error = map_part(parts, below, ids, options[i] + strlen(LOWER));
  return error;
}

static int place_parts(const struct parts *parts, int cover) {
  int error = 0;
  for (size_t i = 0; !error && i < parts->count; i++) {
    AUTO_FD target = (int)checked(openat(cover, parts->of[i].name, O_PATH | O_DIRECTORY | O_CLOEXEC));
    error = target < 0 ? target : place_mount(parts->of[i].fd, target);
  }
  return error;
}

/*
 * Overlay works on its layers as whoever mounts it, and through a mapped mount the host's root is nobody. So the
 * container's root mounts it, with all that the host's may do.
 */
static int mount_as_owner(const struct step *step) {
  int bits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
  if (bits < 0 || prctl(PR_SET_SECUREBITS, bits | KEEP_CAPABILITIES, 0, 0, 0) < 0) return -errno;
  setfsgid(outside_of_root(arg_string(step, GIDS)));
  setfsuid(outside_of_root(arg_string(step, UIDS)));
  AUTO_FD root = mount_unmapped(step);
  setfsuid(0);
  setfsgid(0);
  if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return -errno;
  return take_fd(&root);
}

static int mount_over_mapped(const struct step *step, int ids) {
  const char *directory = arg_string(step, DIRECTORY);
  if (*directory == 0) return -EINVAL;
  AUTO_FD below = (int)checked(open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (below < 0) return below;
  AUTO_FD cover = clone_mount(below, "", false);
  if (cover < 0) return cover;
  __attribute__((cleanup(close_parts))) struct parts parts = {.count = 0};
  int error = map_mount(cover, ids, false);
  if (!error) error = map_parts(&parts, step, below, ids);
  if (!error) error = place_mount(cover, below);
  if (error) return error;
  error = place_parts(&parts, cover);
  AUTO_FD root = error ? error : mount_as_owner(step);
  if (syscall(SYS_umount2, directory, MNT_DETACH) < 0) return -errno;
  return take_fd(&root);
}

/* For OP_ROOT and OP_IMAGE. With a map, only where this process is alone in its mount namespace. */
int mount_root(const struct step *step, const char **part) {
  const char *type = arg_string(step, 0), *uids = arg_string(step, UIDS);
  if (*uids == 0) return mount_unmapped(step);
  *part = "ids";
  AUTO_FD ids = open_id_map(uids, arg_string(step, GIDS));
  if (ids < 0) return ids;
  *part = "idmap";
  if (strcmp(type, "overlay") == 0) return mount_over_mapped(step, ids);
  AUTO_FD root = mount_unmapped(step);
  if (root < 0) return root;
  int error = map_mount(root, ids, strcmp(type, "bind") == 0);
  return error ? error : take_fd(&root);
}
