/*
 * A plan's bytes: "BNK1", the length of the rest (u32), then the steps. A step is its op (u32), the number of its
 * arguments (u32), and each argument as a length (u32) and bytes. Numbers are little endian; a u64 is an argument
 * of eight bytes, a string ends with its only NUL, a list is many strings. Everything is checked here, once.
 */
#include "step.h"
#include <stdlib.h>
#include <sys/mman.h>

#define MAX_PLAN (16u << 20)

/* s string, u number, b bytes, l list. */
static const char *const SIGNATURES[OP_COUNT] = {
    [OP_SETTINGS] = "ssssuuuus",
    [OP_CGROUP] = "s",
    [OP_CGROUP_JOIN] = "s",
    [OP_WRITE] = "ssu",
    [OP_DEVICE_FILTER] = "sb",
    [OP_RESERVE_PORT] = "ussu",
    [OP_JOIN] = "us",
    [OP_ID_MAP] = "ss",
    [OP_CLONE] = "u",
    [OP_NETLINK] = "sbbbs",
    [OP_ROOT] = "ssulsuuss",
    [OP_MOUNT] = "sssusu",
    [OP_BIND] = "ssuuuuusss",
    [OP_MKDIR] = "su",
    [OP_MKNOD] = "suuuuu",
    [OP_SYMLINK] = "ss",
    [OP_MASK] = "s",
    [OP_READONLY] = "s",
    [OP_PIVOT] = "u",
    [OP_CONSOLE] = "",
    [OP_HOSTNAME] = "s",
    [OP_DOMAINNAME] = "s",
    [OP_SYSCTL] = "ss",
    [OP_RLIMIT] = "uuuu",
    [OP_OOM_SCORE] = "u",
    [OP_UMASK] = "u",
    [OP_NO_NEW_PRIVILEGES] = "",
    [OP_APPARMOR] = "s",
    [OP_USER] = "sl",
    [OP_CAPABILITIES] = "uuu",
    [OP_CHDIR] = "su",
    [OP_SECCOMP] = "bu",
    [OP_EXEC] = "llu",
    [OP_LOG_FILE] = "usuuub",
    [OP_LOG_SOCKET] = "uubuubbub",
    [OP_IMAGE] = "ssulsssss",
    [OP_BUNDLE] = "ssssu",
    [OP_RUNTIME] = "uul",
};

static uint32_t number32(const uint8_t *at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

const uint8_t *arg_bytes(const struct step *step, uint32_t index, uint32_t *length) {
  const uint8_t *at = step->args;
  while (index-- > 0) at += 4 + number32(at);
  *length = number32(at);
  return at + 4;
}

const char *arg_string(const struct step *step, uint32_t index) {
  uint32_t length;
  return (const char *)arg_bytes(step, index, &length);
}

uint64_t arg_number(const struct step *step, uint32_t index) {
  uint32_t length;
  uint64_t value;
  memcpy(&value, arg_bytes(step, index, &length), sizeof value);
  return value;
}

uint32_t arg_count(const struct step *step, uint32_t index) {
  uint32_t length, count = 0;
  const uint8_t *at = arg_bytes(step, index, &length);
  for (uint32_t i = 0; i < length; i++) count += at[i] == 0;
  return count;
}

/* Points `into` at the list's strings, at most `room` of them, and says how many there were. */
size_t arg_list(const struct step *step, uint32_t index, const char **into, size_t room) {
  uint32_t length;
  const char *at = (const char *)arg_bytes(step, index, &length), *end = at + length;
  size_t count = 0;
  for (; at < end && count < room; at += strlen(at) + 1) into[count++] = at;
  return count;
}

static bool is_sound(char kind, const uint8_t *at, uint32_t length) {
  switch (kind) {
    case 'u': return length == 8;
    case 's': return length > 0 && memchr(at, 0, length) == at + length - 1;
    case 'l': return length == 0 || at[length - 1] == 0;
    default: return true;
  }
}

/* Checks one step and says where it ends, or NULL when it is malformed. */
static const uint8_t *check_step(const uint8_t *at, const uint8_t *end, struct step *step) {
  if (end - at < 8) return NULL;
  uint32_t op = number32(at);
  step->op = (enum op)op;
  step->argc = number32(at + 4);
  step->args = at += 8;
  if (op >= OP_COUNT || SIGNATURES[op] == NULL || strlen(SIGNATURES[op]) != step->argc) return NULL;
  for (uint32_t i = 0; i < step->argc; i++) {
    if (end - at < 4) return NULL;
    uint32_t length = number32(at);
    at += 4;
    if ((size_t)(end - at) < length || !is_sound(SIGNATURES[op][i], at, length)) return NULL;
    at += length;
  }
  return at;
}

static int read_all(int fd, void *into, size_t length) {
  for (size_t have = 0; have < length;) {
    ssize_t got = read(fd, (char *)into + have, length - have);
    if (got == 0) return -EPIPE;
    if (got < 0 && errno != EINTR) return -errno;
    if (got > 0) have += (size_t)got;
  }
  return 0;
}

int write_all(int fd, const void *data, size_t length) {
  for (size_t done = 0; done < length;) {
    ssize_t put = write(fd, (const char *)data + done, length - done);
    if (put < 0 && errno != EINTR) return -errno;
    if (put > 0) done += (size_t)put;
  }
  return 0;
}

/* The steps' table lies behind the bytes, in one mapping that is given back once the program runs. */
int read_plan(int fd, struct plan *plan) {
  uint8_t head[8];
  int error = read_all(fd, head, sizeof head);
  if (error) return error;
  uint32_t length = number32(head + 4);
  if (memcmp(head, "BNK1", 4) != 0 || length > MAX_PLAN) return -EPROTO;
  size_t table = (length + 15) & ~(size_t)15, most = length / 8;
  plan->length = table + most * sizeof(struct step) + 1;
  plan->memory = mmap(NULL, plan->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (plan->memory == MAP_FAILED) return -errno;
  if ((error = read_all(fd, plan->memory, length))) return error;
  const uint8_t *at = plan->memory, *end = at + length;
  plan->steps = (struct step *)((char *)plan->memory + table);
  for (plan->count = 0; at < end; plan->count++) {
    at = check_step(at, end, &plan->steps[plan->count]);
    if (at == NULL) return -EPROTO;
  }
  return 0;
}

void free_plan(struct plan *plan) {
  if (plan->memory != NULL) munmap(plan->memory, plan->length);
  *plan = (struct plan){0};
}
