/*
 * Who the program runs as, read from the container's own /etc/passwd and /etc/group: untrusted text, so regular
 * files only, opened without blocking, at most 1 MiB. The rules of precedence are Docker's.
 */
#include "step.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAX_FILE (1 << 20)
#define MAX_ID 2147483647ul

struct text {
  char *data;
  size_t length;
};

static void free_text(struct text *text) {
  if (text->data != NULL) munmap(text->data, MAX_FILE);
}

/* A missing file is an empty one. */
static int read_text(int root, const char *path, struct text *text) {
  AUTO_FD fd = open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (fd == -ENOENT || fd == -ENOTDIR) return 0;
  if (fd < 0) return fd;
  struct stat file;
  if (fstat(fd, &file) < 0) return -errno;
  if (!S_ISREG(file.st_mode)) return -EINVAL;
  if (file.st_size > MAX_FILE) return -EFBIG;
  text->data = mmap(NULL, MAX_FILE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (text->data == MAP_FAILED) return text->data = NULL, -errno;
  while (text->length < MAX_FILE) {
    ssize_t got = read(fd, text->data + text->length, MAX_FILE - text->length);
    if (got < 0) return -errno;
    if (got == 0) break;
    text->length += (size_t)got;
  }
  return 0;
}

struct field {
  const char *at;
  size_t length;
};

static bool is_equal(struct field field, const char *name, size_t length) {
  return field.length == length && memcmp(field.at, name, length) == 0;
}

static bool to_id(struct field field, unsigned long *id) {
  unsigned long value = 0;
  if (field.length == 0 || field.length > 10) return false;
  for (size_t i = 0; i < field.length; i++) {
    if (field.at[i] < '0' || field.at[i] > '9') return false;
    value = value * 10 + (unsigned long)(field.at[i] - '0');
  }
  *id = value;
  return true;
}

/* Splits the next line at its colons into exactly `count` fields; lines that have fewer are passed over. */
static bool next_line(const struct text *text, size_t *at, struct field *fields, int count) {
  while (*at < text->length) {
    const char *line = text->data + *at, *end = memchr(line, '\n', text->length - *at);
    if (end == NULL) end = text->data + text->length;
    *at = (size_t)(end - text->data) + 1;
    int have = 0;
    for (const char *start = line; have < count; have++) {
      const char *colon = memchr(start, ':', (size_t)(end - start));
      fields[have] = (struct field){start, (size_t)((colon == NULL ? end : colon) - start)};
      if (colon == NULL) {
        have++;
        break;
      }
      start = colon + 1;
    }
    if (have == count) return true;
  }
  return false;
}

static int add_group(struct child *child, gid_t gid) {
  for (size_t i = 0; i < child->group_count; i++)
    if (child->groups[i] == gid) return 0;
  if (child->group_count == MAX_GROUPS) return -E2BIG;
  child->groups[child->group_count++] = gid;
  return 0;
}

static bool is_member(struct field list, struct field name) {
  const char *at = list.at, *end = list.at + list.length;
  while (at <= end && name.length > 0) {
    const char *comma = memchr(at, ',', (size_t)(end - at));
    size_t length = (size_t)((comma == NULL ? end : comma) - at);
    if (is_equal(name, at, length)) return true;
    if (comma == NULL) return false;
    at = comma + 1;
  }
  return false;
}

/* A group's number, by its name or by itself. `kind` names the file in the report. */
static int find_group(struct child *child, const struct text *groups, struct field wanted, gid_t *gid) {
  struct field fields[4];
  unsigned long id, number;
  bool is_number = to_id(wanted, &number);
  for (size_t at = 0; next_line(groups, &at, fields, 3);)
    if (is_equal(fields[0], wanted.at, wanted.length) && to_id(fields[2], &id) && id <= MAX_ID) {
      *gid = (gid_t)id;
      return 0;
    }
  if (is_number && number <= MAX_ID) {
    *gid = (gid_t)number;
    return 0;
  }
  snprintf(child->detail, 84, is_number ? "range" : "group:%.70s", wanted.at);
  return is_number ? -ERANGE : -ENOENT;
}

static int find_user(struct child *child, const struct text *users, struct field wanted, struct field *name) {
  struct field fields[6];
  unsigned long number = 0, uid, gid;
  bool is_number = wanted.length == 0 || to_id(wanted, &number);
  for (size_t at = 0; next_line(users, &at, fields, 6);) {
    if (!to_id(fields[2], &uid) || !to_id(fields[3], &gid) || uid > MAX_ID || gid > MAX_ID) continue;
    if (is_number ? uid != number : !is_equal(fields[0], wanted.at, wanted.length)) continue;
    child->uid = (uid_t)uid;
    child->gid = (gid_t)gid;
    *name = fields[0];
    size_t length = fields[5].length < sizeof child->home ? fields[5].length : 0;
    memcpy(child->home, fields[5].at, length);
    child->home[length] = 0;
    return 0;
  }
  if (!is_number) {
    snprintf(child->detail, 84, "passwd:%.*s", (int)(wanted.length < 70 ? wanted.length : 70), wanted.at);
    return -ENOENT;
  }
  if (number > MAX_ID) return snprintf(child->detail, 84, "range"), -ERANGE;
  child->uid = (uid_t)number;
  return 0;
}

static int find_groups(struct child *child, const struct text *groups, const struct step *step, struct field name) {
  const char *user = arg_string(step, 0), *colon = strchr(user, ':');
  struct field fields[4];
  unsigned long gid;
  int error = 0;
  if (colon != NULL && colon[1] != 0)
    error = find_group(child, groups, (struct field){colon + 1, strlen(colon + 1)}, &child->gid);
  if (!error) error = add_group(child, child->gid);
  if (colon == NULL || colon[1] == 0)
    for (size_t at = 0; !error && next_line(groups, &at, fields, 4);)
      if (is_member(fields[3], name) && to_id(fields[2], &gid) && gid <= MAX_ID) error = add_group(child, (gid_t)gid);
  const char *more[MAX_GROUPS];
  size_t count = arg_list(step, 1, more, MAX_GROUPS);
  for (size_t i = 0; !error && i < count; i++) {
    gid_t extra = 0;
    error = find_group(child, groups, (struct field){more[i], strlen(more[i])}, &extra);
    if (!error) error = add_group(child, extra);
  }
  return error;
}

int step_user(struct child *child, const struct step *step) {
  const char *user = arg_string(step, 0);
  __attribute__((cleanup(free_text))) struct text users = {0};
  __attribute__((cleanup(free_text))) struct text groups = {0};
  struct field name = {NULL, 0};
  strcpy(child->home, "/");
  int error = read_text(child->root, "etc/passwd", &users);
  if (error) return snprintf(child->detail, 84, "/etc/passwd"), error;
  if ((error = read_text(child->root, "etc/group", &groups))) return snprintf(child->detail, 84, "/etc/group"), error;
  error = find_user(child, &users, (struct field){user, strcspn(user, ":")}, &name);
  if (!error) error = find_groups(child, &groups, step, name);
  if (child->home[0] == 0) strcpy(child->home, "/");
  child->has_user = error == 0;
  return error;
}
