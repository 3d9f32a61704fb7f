/*
 * The vocabulary of the launcher: what a plan's bytes mean, and who obeys which step. Every step returns 0 or
 * -errno. TypeScript has decided everything before; nothing here chooses.
 */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* The numbers of wire.ts. */
enum op {
  OP_SETTINGS = 1,
  OP_CGROUP = 2,
  OP_CGROUP_JOIN = 3,
  OP_WRITE = 4,
  OP_DEVICE_FILTER = 5,
  OP_RESERVE_PORT = 6,
  OP_JOIN = 7,
  OP_ID_MAP = 8,
  OP_CLONE = 9,
  OP_NETLINK = 10,
  OP_ROOT = 11,
  OP_MOUNT = 12,
  OP_BIND = 13,
  OP_MKDIR = 14,
  OP_MKNOD = 15,
  OP_SYMLINK = 16,
  OP_MASK = 17,
  OP_READONLY = 18,
  OP_PIVOT = 19,
  OP_CONSOLE = 20,
  OP_HOSTNAME = 21,
  OP_DOMAINNAME = 22,
  OP_SYSCTL = 23,
  OP_RLIMIT = 24,
  OP_OOM_SCORE = 25,
  OP_UMASK = 26,
  OP_NO_NEW_PRIVILEGES = 27,
  OP_APPARMOR = 28,
  OP_USER = 29,
  OP_CAPABILITIES = 30,
  OP_CHDIR = 31,
  OP_SECCOMP = 32,
  OP_EXEC = 33,
  OP_IMAGE = 34,
  OP_LOG_FILE = 35,
  OP_LOG_SOCKET = 36,
  OP_BUNDLE = 37,
  OP_RUNTIME = 38,
  OP_COUNT
};

/* Arguments lie in the plan's own memory; their number and kinds were checked when it was read. */
struct step {
  enum op op;
  uint32_t argc;
  const uint8_t *args;
};

struct plan {
  void *memory;
  size_t length;
  struct step *steps; /* The first is OP_SETTINGS. */
  size_t count;
};

/* Arguments of OP_SETTINGS. */
enum setting {
  SET_STATE,
  SET_SOCKET,
  SET_PID_FILE,
  SET_EXIT_FILE,
  SET_FLAGS,
  SET_ROWS,
  SET_COLUMNS,
  SET_TARGET_PID,
  SET_TARGET_TICKS
};
enum stdio_flag { STDIO_TERMINAL = 1, STDIO_OPEN_STDIN = 2, STDIO_STDIN_ONCE = 4 };

#define DETAIL_BYTES 84

/* What the launcher says on its standard output: kind, step, op, errno, pid, start ticks, detail. */
enum report_kind { REPORT_CLONED = 1, REPORT_READY = 2, REPORT_RUNNING = 3, REPORT_FAILED = 4 };
struct report {
  uint32_t kind;
  uint32_t step;
  uint32_t op;
  int32_t error;
  uint32_t pid;
  char ticks[24];
  char detail[DETAIL_BYTES];
};

/* What the child tells the supervisor; descriptors (a pty's two ends) may ride along. */
enum word { WORD_READY = 1, WORD_FAILED = 2, WORD_TERMINAL = 3 };
struct message {
  uint32_t word;
  uint32_t step;
  int32_t error;
  char detail[DETAIL_BYTES];
};

/* What the supervisor has done for the child, in this order. */
enum grant { GRANT_NONE, GRANT_IDS, GRANT_LINKS, GRANT_GO };

/* What an OCI runtime is run for. */
enum runtime_verb { VERB_CREATE = 1, VERB_START = 2, VERB_DELETE = 3, VERB_EXEC = 4 };
/* Names in the state directory, which is the bundle. */
#define ROOT_NAME "rootfs"
#define CONSOLE_NAME "console.sock"
#define INIT_PID_NAME "init.pid"

#define MAX_GROUPS 256
#define MAX_OPENED 256
#define MAX_LINKS_FOLLOWED 40

/*
 * Mounts that are made before their step: binds that propagate to the host, before everything turns private; those
 * of other containers, before the root is covered; by the supervisor those with owners of their own, because it has
 * a procfs in which it finds what it starts, and for a user namespace all of them, because the child's root may not
 * walk the host's paths.
 */
enum early { EARLY_SHARED, EARLY_MAPPED, EARLY_ALL };
struct opened {
  struct {
    const struct step *step;
    int fd;
  } mounts[MAX_OPENED];
  size_t count;
  const struct step *last; /* The one that failed, if any did, and which part of it. */
  const char *part;
};

/* The child's state between its steps. */
struct child {
  const struct plan *plan;
  const struct step *step; /* The one being obeyed. */
  char *detail;            /* Words for the report, DETAIL_BYTES. */
  int sync;
  enum grant granted;
  bool late_cgroup_namespace;
  const struct step *into;
  int target; /* pidfd of the container that a process is added to, or -1. */
  uint64_t join_flags;
  int root; /* O_PATH of the container's root. */
  int host_null;
  int proc; /* A procfs that nobody else can reach, and its sys directory. */
  int proc_sys;
  int empty; /* The read-only tmpfs that covers directories. */
  bool root_is_readonly;
  bool has_pivoted;
  bool has_root;
  bool has_joined; /* Whoever cloned it has joined the namespaces before. */
  struct opened opened;
  bool has_user;
  uid_t uid;
  gid_t gid;
  gid_t groups[MAX_GROUPS];
  size_t group_count;
  char home[256];
  const struct step *capabilities;
  const struct step *seccomp;
  bool no_new_privileges;
  uint64_t umask;
  uint64_t host_capabilities, final_capabilities;
  int terminal; /* The slave end, or -1. */
};

/* Descriptors close themselves at the end of their scope. */
static inline void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
}
#define AUTO_FD __attribute__((cleanup(close_fd))) int
static inline int take_fd(int *fd) {
  int taken = *fd;
  *fd = -1;
  return taken;
}
static inline long checked(long result) { return result < 0 ? -errno : result; }

/* wire.c */
int read_plan(int fd, struct plan *plan);
void free_plan(struct plan *plan);
const uint8_t *arg_bytes(const struct step *step, uint32_t index, uint32_t *length);
const char *arg_string(const struct step *step, uint32_t index);
uint64_t arg_number(const struct step *step, uint32_t index);
uint32_t arg_count(const struct step *step, uint32_t index);
size_t arg_list(const struct step *step, uint32_t index, const char **into, size_t room);
int write_all(int fd, const void *data, size_t length);

/* paths.c */
int open_in_root(int root, const char *path, uint64_t flags);
int make_in_root(int root, const char *path, mode_t mode);
int open_beneath(int directory, const char *path);
int open_parent(int root, const char *path, const char **name);
int follow_dangling(int directory, const char *name, char path[4096], size_t prefix, size_t start);
int start_ticks(pid_t pid, char ticks[24]);

/* rootfs.c, mapped-root.c, mounts.c, binds.c, idmap.c */
int step_root(struct child *child, const struct step *step);
int step_pivot(struct child *child, const struct step *step);
int step_mkdir(struct child *child, const struct step *step);
int step_mknod(struct child *child, const struct step *step);
int step_symlink(struct child *child, const struct step *step);
int step_chdir(struct child *child, const struct step *step);
int step_mount(struct child *child, const struct step *step);
int step_bind(struct child *child, const struct step *step);
int step_image(struct child *child, const struct step *step);
int step_mask(struct child *child, const struct step *step);
int step_readonly(struct child *child, const struct step *step);
int open_mounts(const struct plan *plan, struct opened *opened, enum early which);
int take_opened(struct opened *opened, const struct step *step);
int mount_root(const struct step *step, const char **part);
int mount_unmapped(const struct step *step);
int open_id_map(const char *uids, const char *gids);
int map_mount(int mount, int namespace, bool recursive);
int new_mount(const char *type, const char *source, const char *data, uint64_t flags);
int clone_mount(int at, const char *path, bool recursive);
int place_mount(int mount, int target);
unsigned outside_of_root(const char *lines);
int map_ids(int mount, const char *uids, const char *gids);
uint64_t attributes_of(uint64_t flags);
int change_mount(int mount, bool recursive, uint64_t attributes, uint64_t propagation);

/* foreign.c */
bool is_foreign(const char *path);
int clone_foreign(const char *path, bool recursive);

/* console.c, procfs.c */
int step_console(struct child *child, const struct step *step);
int open_terminal(struct child *child, bool covers_console);
int step_sysctl(struct child *child, const struct step *step);
int step_oom_score(struct child *child, const struct step *step);
int step_apparmor(struct child *child, const struct step *step);
void keep_procfs(struct child *child, int mount);

/* users.c, identity.c, program.c */
int step_user(struct child *child, const struct step *step);
int step_rlimit(struct child *child, const struct step *step);
int reset_child(struct child *child);
int assume_identity(struct child *child);
int install_seccomp(struct child *child);
int drop_capabilities(struct child *child);
int limit_capabilities(const struct step *step);
int run_program(struct child *child, const struct step *step);

/* view.c */
int view_main(int argc, char **argv);

/* child.c */
int child_main(struct child *child);
int join_namespace(const struct step *step);
int become_root(void);
void await_grant(struct child *child, enum grant grant);
int tell(int sync, const struct message *message, const int *fds, size_t count);

/* cgroup.c */
struct groups {
  char **paths; /* Every group this launcher made, parents first. */
  size_t count;
};
int make_group(struct groups *groups, const char *path);
int join_group(const char *path);
int attach_device_filter(const struct step *step);
int write_file(const char *path, const char *value);
bool was_out_of_memory(const struct groups *groups);
void kill_groups(const struct groups *groups);
void remove_groups(struct groups *groups);

/* netlink.c */
struct links {
  int home; /* The launcher's own network namespace. */
  int child;
  int host_socket;
  int child_socket;
  uint32_t sequence;
};
void links_open(struct links *links);
void links_close(struct links *links);
int step_netlink(struct links *links, const struct step *step, char *detail);
int netlink_main(int argc, char **argv);
int relay_main(int argc, char **argv) __attribute__((weak));
int front_main(int argc, char **argv) __attribute__((weak));

/* log.c: what the program says, cut into pieces of lines, for at most two places. */
#define PIECE 16384
#define PART_ID 64
#define STAMP_BYTES 32
struct piece {
  int stream; /* 0 standard output, 1 standard error. */
  const uint8_t *data;
  size_t length;
  bool is_whole;    /* A newline followed it. */
  unsigned ordinal; /* Of the parts of a long line, from 1; 0 for a line in one piece. */
  const char *id;   /* Of the long line, PART_ID hexadecimal digits. */
  struct timespec time;
  const char *stamp; /* The time as RFC3339Nano, in STAMP_BYTES that can be copied at once. */
  size_t stamp_length;
};
struct sink {
  int (*open)(struct sink *sink, const struct step *step);
  void (*put)(struct sink *sink, const struct piece *piece);
  void (*flush)(struct sink *sink);
  void (*rest)(struct sink *sink); /* Gives the pages back while the container is silent. */
  void (*close)(struct sink *sink);
  struct log_file *file;
  struct log_socket *socket;
};
#define MAX_SINKS 2
struct log {
  struct sink sinks[MAX_SINKS];
  size_t count;
  char *held[2];
  size_t held_length[2];
  unsigned ordinal[2];
  char id[2][PART_ID + 1];
  struct timespec time;
  char stamp[STAMP_BYTES];
  size_t stamp_length;
};
int log_open(struct log *log, const struct plan *plan);
void log_write(struct log *log, int stream, const uint8_t *data, size_t length);
void log_close(struct log *log);
void log_rest(struct log *log);
struct pollfd log_poll(const struct log *log);
int64_t log_due(const struct log *log);
void log_serve(struct log *log);
void *new_pages(size_t length);
static inline char *put_bytes(char *out, const void *bytes, size_t length) { return (char *)memcpy(out, bytes, length) + length; }
#define PUT(out, text) put_bytes(out, text, sizeof(text) - 1)
int64_t milliseconds(void);

/* log-file.c, log-json.c, log-local.c, log-gzip.c: files that Docker writes alike, rotated by renaming. */
enum file_format { FORMAT_JSON = 1, FORMAT_LOCAL = 2 };
extern const struct sink FILE_SINK;
struct encoding {
  char *(*encode)(char *out, const struct piece *piece, const char *extra, size_t extra_length);
  size_t (*whole)(const char *bytes, size_t length); /* How many of the bytes are whole entries. */
  int (*mend)(int fd, off_t size);                   /* What a crash left half written must not spoil what follows. */
};
extern const struct encoding JSON_ENCODING, LOCAL_ENCODING;
char *escape_json(char *out, const uint8_t *at, const uint8_t *end);
int gzip_file(int from, int to);

/* log-socket.c: journald's native protocol and syslog. */
extern const struct sink SOCKET_SINK;

/* attach.c */
struct client {
  int fd;
  uint8_t header[8];
  uint8_t have;
  bool ended; /* It sends no more. */
  bool doomed;
  char *queue;
  size_t start, queued, room;
};
struct terminal {
  int listen;
  int in, out, err; /* The supervisor's ends; with a pty `in` and `out` are its master. */
  int slave;
  bool is_pty, stdin_once;
  bool close_in; /* Once what is pending has been written. */
  char *pending;
  size_t pending_start, pending_length;
  struct client *clients;
  size_t count, room;
};
#define STDIN_ROOM 65536
#define CLIENT_LIMIT (1 << 20)
void accept_clients(struct terminal *terminal);
void serve_client(struct terminal *terminal, struct client *client, short events);
void send_output(struct terminal *terminal, int stream, const void *data, size_t length);
bool is_congested(const struct terminal *terminal, size_t limit);
bool flush_client(struct client *client);
void write_pending(struct terminal *terminal);
void answer_waiters(struct terminal *terminal, const char *record, size_t length);
void drop_doomed(struct terminal *terminal);
struct pollfd client_poll(const struct terminal *terminal, const struct client *client);

/* shim.c */
struct supervisor {
  struct plan plan;
  int control, status, sync, pidfd, state;
  pid_t pid;
  char ticks[24];
  char *socket_name, *exit_name, *pid_name;
  bool kills_rest; /* The container has no pid namespace of its own. */
  char **delete_args; /* How an OCI runtime deletes the container; NULL when none made it. */
  struct groups groups;
  struct links links;
  int *ports;
  size_t port_count;
  struct terminal terminal;
  struct log log;
};
int supervise(struct supervisor *self);
int write_state_file(const struct supervisor *self, const char *name, const char *text, size_t length);
void undo(struct supervisor *self);

/* Everything that lives only until the program runs. */
struct start {
  struct supervisor *self;
  const struct step *step; /* The one being obeyed. */
  char detail[DETAIL_BYTES];
  const struct step *into; /* The group that the clone itself puts the child into. */
  uint64_t clone_flags, join_flags;
  bool has_joined;
  int peer; /* The supervisor's end of the socket between it and the child. */
  int target;
  int child_streams[3];
  struct opened opened;
  struct child asked; /* Of what an OCI runtime makes: its root and its user. */
};

/* main.c, runtime.c */
int open_child_network(struct start *start);
const struct step *making_step(const struct plan *plan);
int obey_runtime_step(struct start *start, const struct step *step);
int begin_by_runtime(struct start *start);
void delete_by_runtime(struct supervisor *self);

/* host.c, clone.c, state.c */
int obey_host_step(struct start *start, const struct step *step);
int clone_child(struct start *start);
int open_outside(struct start *start);
const struct step *id_map(const struct plan *plan);
int settle_ids(struct start *start);
int open_streams(struct start *start);
void close_child_streams(struct start *start);
int open_state(struct supervisor *self);
int write_pids(struct supervisor *self);
