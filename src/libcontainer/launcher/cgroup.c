/* The container's groups on the host, v1 and v2 alike: made, joined, asked, emptied and removed. */
#include "step.h"
#include <dirent.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Removal is tried for this long while the kernel still buries the last processes, in steps of a millisecond. */
#define REMOVE_TRIES 2000
#define MAX_DEPTH 32

static int remember_group(struct groups *groups, const char *path) {
  char **paths = realloc(groups->paths, (groups->count + 1) * sizeof *paths);
  if (paths == NULL) return -ENOMEM;
  groups->paths = paths;
  paths[groups->count] = strdup(path);
  return paths[groups->count] == NULL ? -ENOMEM : (int)(groups->count++, 0);
}

int make_group(struct groups *groups, const char *path) {
  char part[4096];
  size_t length = strlen(path);
  if (length >= sizeof part) return -ENAMETOOLONG;
  memcpy(part, path, length + 1);
  if (mkdir(part, 0755) == 0) return remember_group(groups, part);
  if (errno == EEXIST) return remember_group(groups, part); /* Left behind by a launcher that was killed. */
  if (errno != ENOENT) return -errno;
  for (char *slash = part; (slash = strchr(slash + 1, '/')) != NULL;) {
    *slash = 0;
    int error = mkdir(part, 0755) == 0 ? remember_group(groups, part) : errno == EEXIST ? 0 : -errno;
    *slash = '/';
    if (error) return error;
  }
  return mkdir(part, 0755) == 0 || errno == EEXIST ? remember_group(groups, part) : -errno;
}

int write_file(const char *path, const char *value) {
  AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

/*
 * Moves this process, which has one thread. On v1 through `tasks`, because moving oneself alone takes no lock for
 * which the whole machine would have to pause (some ten milliseconds).
 */
int join_group(const char *path) {
  char file[4096];
  if (snprintf(file, sizeof file, "%s/cgroup.procs", path) >= (int)sizeof file) return -ENAMETOOLONG;
  char *name = strrchr(file, '/');
  strcpy(name, "/tasks");
  int error = write_file(file, "0");
  if (error != -ENOENT) return error;
  strcpy(name, "/cgroup.procs");
  return write_file(file, "0");
}

/* Source: bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE; several filters of one group must all agree. */
int attach_device_filter(const struct step *step) {
  uint32_t length;
  const uint8_t *program = arg_bytes(step, 1, &length);
  union bpf_attr load = {
      .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
      .insns = (uintptr_t)program,
      .insn_cnt = length / 8,
      .license = (uintptr_t) "Apache",
  };
  AUTO_FD filter = (int)checked(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load));
  if (filter < 0) return filter;
  AUTO_FD group = open(arg_string(step, 0), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (group < 0) return -errno;
  union bpf_attr attach = {
      .target_fd = (uint32_t)group,
      .attach_bpf_fd = (uint32_t)filter,
      .attach_type = BPF_CGROUP_DEVICE,
      .attach_flags = BPF_F_ALLOW_MULTI,
  };
  return (int)checked(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach));
}

/* The line `oom_kill N` of v2's memory.events or v1's memory.oom_control. */
static bool has_killed(const char *group, const char *file) {
  char path[4096], text[1024];
  int length = snprintf(path, sizeof path, "%s/%s", group, file);
  if (length < 0 || (size_t)length >= sizeof path) return false;
  AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t got = read(fd, text, sizeof text - 1);
  if (got <= 0) return false;
  text[got] = 0;
  const char *line = strstr(text, "oom_kill ");
  return line != NULL && atoi(line + 9) > 0;
}

bool was_out_of_memory(const struct groups *groups) {
  for (size_t i = 0; i < groups->count; i++)
    if (has_killed(groups->paths[i], "memory.events") || has_killed(groups->paths[i], "memory.oom_control")) return true;
  return false;
}

static void kill_listed(const char *group) {
  char path[4096], text[4096];
  if (snprintf(path, sizeof path, "%s/cgroup.procs", group) >= (int)sizeof path) return;
  AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  size_t kept = 0;
  for (ssize_t got; (got = read(fd, text + kept, sizeof text - 1 - kept)) > 0;) {
    text[kept + (size_t)got] = 0;
    char *at = text;
    for (char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
      pid_t pid = atoi(at);
      if (pid > 1) kill(pid, SIGKILL);
    }
    kept = strlen(at);
    memmove(text, at, kept);
  }
}

/* A frozen process dies only once it thaws. */
void kill_groups(const struct groups *groups) {
  char path[4096];
  for (size_t i = 0; i < groups->count; i++) {
    const char *group = groups->paths[i];
    if (snprintf(path, sizeof path, "%s/cgroup.kill", group) >= (int)sizeof path) continue;
    if (write_file(path, "1") < 0) kill_listed(group);
    if (snprintf(path, sizeof path, "%s/freezer.state", group) < (int)sizeof path) write_file(path, "THAWED");
  }
}

/* Groups that the container made below its own go first. */
static int remove_tree(const char *path, int depth) {
  if (rmdir(path) == 0 || errno == ENOENT) return 0;
  int failure = -errno;
  DIR *directory = depth < MAX_DEPTH ? opendir(path) : NULL;
  if (directory == NULL) return failure;
  bool had_children = false;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    char below[4096];
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >= (int)sizeof below) continue;
    had_children = true;
    remove_tree(below, depth + 1);
  }
  closedir(directory);
  return had_children && rmdir(path) == 0 ? 0 : failure;
}

void remove_groups(struct groups *groups) {
  for (size_t i = groups->count; i-- > 0;) {
    for (int tries = 0; tries < REMOVE_TRIES && remove_tree(groups->paths[i], 0) == -EBUSY; tries++) {
      if (tries == 0) {
        struct groups one = {&groups->paths[i], 1};
        kill_groups(&one);
      }
      poll(NULL, 0, 1);
    }
    free(groups->paths[i]);
  }
  free(groups->paths);
  *groups = (struct groups){0};
}
