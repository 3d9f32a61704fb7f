/*
 * A log in a file: entries are gathered and written once per read, files are rotated by renaming and, where asked,
 * compressed by a process of their own. Source: moby, daemon/logger/loggerutils/logfile.go.
 */
#include "step.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define OUT_ROOM (256 << 10)
/* The most that one piece can grow to, without what the container adds: six bytes for each, and the frame around it. */
#define WORST_PIECE (PIECE * 6 + 256)
#define PATH_ROOM 4200
/* A container that has ended waits so long for the compression of its last rotated file, which then stays as it is. */
#define COMPRESSION_MILLISECONDS 2000
enum { ARG_FORMAT, ARG_PATH, ARG_LIMIT, ARG_FILES, ARG_COMPRESSED, ARG_EXTRA };

struct log_file {
  const struct encoding *encoding;
  int fd;
  uint64_t size, limit;
  unsigned files;
  bool is_compressed;
  pid_t compressor;
  char *path, *extra;
  size_t extra_length;
  char *out;
  size_t used;
};

static int open_log(struct log_file *file) {
  struct stat found;
  file->fd = open(file->path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
  if (file->fd < 0 || fstat(file->fd, &found) < 0) return -errno;
  if (found.st_size > 0 && file->encoding->mend(file->fd, found.st_size) == 0) fstat(file->fd, &found);
  file->size = (uint64_t)found.st_size;
  return 0;
}

static int open_sink(struct sink *sink, const struct step *step) {
  struct log_file *file = sink->file = calloc(1, sizeof *file);
  uint32_t extra_length;
  const uint8_t *extra = arg_bytes(step, ARG_EXTRA, &extra_length);
  if (file == NULL) return -ENOMEM;
  *file = (struct log_file){.fd = -1, .limit = arg_number(step, ARG_LIMIT), .files = (unsigned)arg_number(step, ARG_FILES)};
  file->encoding = arg_number(step, ARG_FORMAT) == FORMAT_LOCAL ? &LOCAL_ENCODING : &JSON_ENCODING;
  file->is_compressed = arg_number(step, ARG_COMPRESSED) && file->files > 1;
  file->path = strdup(arg_string(step, ARG_PATH));
  file->extra = malloc((size_t)extra_length + 1);
  file->out = new_pages(OUT_ROOM + extra_length);
  if (file->path == NULL || file->extra == NULL || file->out == NULL) return -ENOMEM;
  memcpy(file->extra, extra, extra_length);
  file->extra_length = extra_length;
  return open_log(file);
}

/* Takes the last bytes back, down to an entry's end: what comes later must not be glued to half of one. */
static void untear(struct log_file *file, size_t written) {
  size_t torn = written - file->encoding->whole(file->out, written);
  struct stat found;
  if (torn == 0 || fstat(file->fd, &found) < 0 || (size_t)found.st_size < torn) return;
  if (ftruncate(file->fd, found.st_size - (off_t)torn) < 0) return;
}

/* A log that somebody has removed is begun anew, one that was cut short is as long as it is. */
static void look(struct log_file *file) {
  struct stat found;
  if (file->fd < 0 || fstat(file->fd, &found) < 0) return;
  file->size = (uint64_t)found.st_size;
  if (found.st_nlink > 0) return;
  close_fd(&file->fd);
  open_log(file);
}

/* A disk that is full costs lines, never the container. */
static void flush_file(struct log_file *file) {
  size_t written = 0;
  if (file->used == 0) return;
  look(file);
  while (file->fd >= 0 && written < file->used) {
    ssize_t put = write(file->fd, file->out + written, file->used - written);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) break;
    written += (size_t)put;
  }
  if (file->fd >= 0 && written < file->used) untear(file, written);
  file->size += written;
  file->used = 0;
}

/* `log`, `log.1`, `log.1.gz` and so on. */
static void name_file(char name[PATH_ROOM], const struct log_file *file, unsigned age, const char *ending) {
  if (age == 0) snprintf(name, PATH_ROOM, "%s%s", file->path, ending);
  else snprintf(name, PATH_ROOM, "%s.%u%s", file->path, age, ending);
}

static void await_compressor(struct log_file *file, int milliseconds_left) {
  if (file->compressor == 0) return;
  int pidfd = (int)syscall(SYS_pidfd_open, file->compressor, 0);
  struct pollfd ended = {pidfd, POLLIN, 0};
  if (pidfd >= 0) poll(&ended, 1, milliseconds_left);
  close_fd(&pidfd);
  if (!ended.revents) {
    char side[PATH_ROOM];
    kill(file->compressor, SIGKILL);
    name_file(side, file, 1, ".new");
    waitpid(file->compressor, NULL, 0);
    unlink(side);
  } else waitpid(file->compressor, NULL, 0);
  file->compressor = 0;
}

/* When a file was last written to tells a reader where it belongs. */
static int keep_time(int from, int to) {
  struct stat file;
  if (fstat(from, &file) < 0) return -errno;
  struct timespec times[2] = {file.st_atim, file.st_mtim};
  return futimens(to, times);
}

/* What was cut off in the middle is still there whole, and is taken. */
static _Noreturn void compress_first(const struct log_file *file) {
  char plain[PATH_ROOM], side[PATH_ROOM], packed[PATH_ROOM];
  name_file(plain, file, 1, "");
  name_file(side, file, 1, ".new");
  name_file(packed, file, 1, ".gz");
  syscall(SYS_close_range, 0, ~0u, 0);
  setpriority(PRIO_PROCESS, 0, 10);
  AUTO_FD from = open(plain, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  AUTO_FD to = open(side, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
  if (from < 0 || to < 0 || gzip_file(from, to) < 0 || keep_time(from, to) < 0 || rename(side, packed) < 0) {
    unlink(side);
    _exit(1);
  }
  unlink(plain);
  _exit(0);
}

static void start_compressor(struct log_file *file) {
  pid_t pid = fork();
  if (pid == 0) compress_first(file);
  file->compressor = pid > 0 ? pid : 0;
}

static void age_file(const struct log_file *file, unsigned age, const char *ending) {
  char from[PATH_ROOM], to[PATH_ROOM];
  name_file(from, file, age - 1, ending);
  name_file(to, file, age, ending);
  if (rename(from, to) < 0 && errno == ENOENT) unlink(to);
}

/* log → log.1 → … → log.(files-1), the oldest falls off. */
static void rotate(struct log_file *file) {
  if (file->fd < 0) { /* The last one was moved aside, and no new one could be made. */
    open_log(file);
    return;
  }
  await_compressor(file, -1);
  close_fd(&file->fd);
  if (file->files <= 1) unlink(file->path);
  for (unsigned age = file->files; age-- > 1;) {
    if (age > 1) age_file(file, age, ".gz");
    age_file(file, age, "");
  }
  open_log(file);
  if (file->is_compressed) start_compressor(file);
}

static void put(struct sink *sink, const struct piece *piece) {
  struct log_file *file = sink->file;
  if (file->used + WORST_PIECE > OUT_ROOM) flush_file(file); /* What is added to the last one goes beyond OUT_ROOM. */
  if (file->limit > 0 && file->size + file->used >= file->limit) {
    flush_file(file);
    rotate(file);
  }
  char *out = file->encoding->encode(file->out + file->used, piece, file->extra, file->extra_length);
  file->used = (size_t)(out - file->out);
}

static void flush(struct sink *sink) { flush_file(sink->file); }

static void rest(struct sink *sink) {
  struct log_file *file = sink->file;
  madvise(file->out, OUT_ROOM + file->extra_length, MADV_DONTNEED);
  if (file->compressor > 0 && waitpid(file->compressor, NULL, WNOHANG) != 0) file->compressor = 0;
}

static void close_sink(struct sink *sink) {
  struct log_file *file = sink->file;
  await_compressor(file, COMPRESSION_MILLISECONDS);
  close_fd(&file->fd);
  file->fd = -1;
}

const struct sink FILE_SINK = {.open = open_sink, .put = put, .flush = flush, .rest = rest, .close = close_sink};
