/*
 * Docker's json-file log, byte for byte: one object a line, pieces of 16 KiB without a newline, what is not UTF-8
 * as U+FFFD, rotation by renaming. Lines are gathered and written once per read. Source: moby, jsonfilelog and
 * jsonlog, and its copier.
 */
#include "step.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define PIECE 16384
#define OUT_ROOM (256 << 10)
/* The most that one piece can grow to: six bytes for each, and the frame around it. */
#define WORST_PIECE (PIECE * 6 + 128)

static char *pages(size_t length) {
  char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

static int open_file(struct log *log) {
  log->fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
  struct stat file;
  if (log->fd < 0 || fstat(log->fd, &file) < 0) return -errno;
  log->size = (uint64_t)file.st_size;
  return 0;
}

int log_open(struct log *log, const char *path, uint64_t limit, unsigned files) {
  *log = (struct log){.fd = -1, .limit = limit, .files = files};
  if (*path == 0) return 0;
  log->path = strdup(path);
  log->out = pages(OUT_ROOM + 2 * PIECE);
  if (log->path == NULL || log->out == NULL) return -ENOMEM;
  log->held[0] = log->out + OUT_ROOM;
  log->held[1] = log->held[0] + PIECE;
  return open_file(log);
}

/* Takes the last bytes back, down to a line's end: what comes later must not be glued to half a line. */
static size_t untear(struct log *log, size_t written) {
  const char *newline = written == 0 ? NULL : memrchr(log->out, '\n', written);
  size_t whole = newline == NULL ? 0 : (size_t)(newline - log->out) + 1;
  struct stat file;
  if (whole == written || fstat(log->fd, &file) < 0 || (size_t)file.st_size < written - whole) return written;
  return ftruncate(log->fd, file.st_size - (off_t)(written - whole)) < 0 ? written : whole;
}

/* A disk that is full costs lines, never the container. */
static void flush(struct log *log) {
  size_t written = 0;
  while (log->fd >= 0 && written < log->used) {
    ssize_t put = write(log->fd, log->out + written, log->used - written);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) break;
    written += (size_t)put;
  }
  log->size += written < log->used ? untear(log, written) : written;
  log->used = 0;
}

/* log → log.1 → … → log.(files-1), the oldest falls off. */
static void rotate(struct log *log) {
  char from[4200], to[4200];
  if (log->fd < 0) { /* The last one was moved aside, and no new one could be made. */
    open_file(log);
    return;
  }
  close_fd(&log->fd);
  if (log->files <= 1) unlink(log->path);
  for (unsigned i = log->files; i-- > 1;) {
    snprintf(to, sizeof to, "%s.%u", log->path, i);
    if (i == 1) snprintf(from, sizeof from, "%s", log->path);
    else snprintf(from, sizeof from, "%s.%u", log->path, i - 1);
    rename(from, to);
  }
  open_file(log);
}

/* Go's RFC3339Nano: in UTC, without zeros at the end. */
static void stamp(struct log *log) {
  struct timespec now;
  struct tm date;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &date);
  size_t length = strftime(log->stamp, sizeof log->stamp, "%Y-%m-%dT%H:%M:%S", &date);
  if (now.tv_nsec != 0) {
    length += (size_t)snprintf(log->stamp + length, sizeof log->stamp - length, ".%09ld", now.tv_nsec);
    while (log->stamp[length - 1] == '0') length--;
  }
  log->stamp[length++] = 'Z';
  log->stamp_length = length;
}

/* How many bytes the sequence at `at` takes, or 0 when it is not UTF-8. */
static size_t sequence(const uint8_t *at, const uint8_t *end) {
  uint8_t first = *at, low = 0x80, high = 0xbf;
  size_t length = first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) == 0xe0 ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (length == 0 || (size_t)(end - at) < length) return 0;
  if (first == 0xe0) low = 0xa0;
  if (first == 0xed) high = 0x9f;
  if (first == 0xf0) low = 0x90;
  if (first == 0xf4) high = 0x8f;
  if (at[1] < low || at[1] > high) return 0;
  for (size_t i = 2; i < length; i++)
    if ((at[i] & 0xc0) != 0x80) return 0;
  return length;
}

static char *escape_one(char *out, const uint8_t **at, const uint8_t *end) {
  static const char HEX[] = "0123456789abcdef";
  const uint8_t *p = *at;
  if (*p >= 0x80) {
    size_t length = sequence(p, end);
    bool is_separator = length == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] | 1) == 0xa9;
    *at = p + (length == 0 ? 1 : length);
    if (length != 0 && !is_separator) return memcpy(out, p, length), out + length;
    memcpy(out, length == 0 ? "\\ufffd" : p[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
    return out + 6;
  }
  *at = p + 1;
  *out++ = '\\';
  if (*p == '\\' || *p == '"') return *out++ = (char)*p, out;
  if (*p == '\n') return *out++ = 'n', out;
  if (*p == '\r') return *out++ = 'r', out;
  memcpy(out, "u00", 3);
  out[3] = HEX[*p >> 4];
  out[4] = HEX[*p & 15];
  return out + 5;
}

static bool is_plain(uint8_t c) {
  return c >= 0x20 && c < 0x80 && c != '\\' && c != '"' && c != '<' && c != '>' && c != '&';
}

/* Eight bytes at once: is each of them plain? Tests for a value in any byte are those of "Bit Twiddling Hacks". */
static bool are_plain(uint64_t word) {
  const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
  uint64_t odd = word | (word - ones * 0x20);
  const uint8_t special[] = {'\\', '"', '<', '>', '&'};
  for (size_t i = 0; i < sizeof special; i++) {
    uint64_t other = word ^ (ones * special[i]);
    odd |= (other - ones) & ~other;
  }
  return (odd & tops) == 0;
}

static char *escape(char *out, const uint8_t *at, const uint8_t *end) {
  while (at < end) {
    for (uint64_t word; end - at >= 8; at += 8, out += 8) {
      memcpy(&word, at, 8);
      if (!are_plain(word)) break;
      memcpy(out, &word, 8);
    }
    while (at < end && is_plain(*at)) {
      *out++ = (char)*at++;
      if (end - at >= 8 && ((uintptr_t)at & 7) == 0) break;
    }
    if (at < end && !is_plain(*at)) out = escape_one(out, &at, end);
  }
  return out;
}

static char *put(char *out, const char *text, size_t length) { return memcpy(out, text, length), out + length; }
#define PUT(out, text) put(out, text, sizeof(text) - 1)

static void emit(struct log *log, int stream, const uint8_t *data, size_t length, bool is_whole) {
  if (OUT_ROOM - log->used < WORST_PIECE) flush(log);
  if (log->limit > 0 && log->size + log->used >= log->limit) {
    flush(log);
    rotate(log);
  }
  char *out = PUT(log->out + log->used, "{\"log\":\"");
  out = escape(out, data, data + length);
  if (is_whole) out = PUT(out, "\\n");
  out = stream == 0 ? PUT(out, "\",\"stream\":\"stdout\",\"time\":\"") : PUT(out, "\",\"stream\":\"stderr\",\"time\":\"");
  out = put(out, log->stamp, log->stamp_length);
  out = PUT(out, "\"}\n");
  log->used = (size_t)(out - log->out);
}

/* Completes what is held with the start of `data`; says how much of it was used. */
static size_t fill_held(struct log *log, int stream, const uint8_t *data, size_t length) {
  size_t held = log->held_length[stream], room = PIECE - held, take = length < room ? length : room;
  const uint8_t *newline = memchr(data, '\n', take);
  if (newline != NULL) take = (size_t)(newline - data);
  memcpy(log->held[stream] + held, data, take);
  log->held_length[stream] = held + take;
  if (newline == NULL && held + take < PIECE) return take;
  emit(log, stream, (uint8_t *)log->held[stream], held + take, newline != NULL);
  log->held_length[stream] = 0;
  return take + (newline != NULL);
}

void log_write(struct log *log, int stream, const uint8_t *data, size_t length) {
  if (log->path == NULL) return;
  stamp(log);
  const uint8_t *end = data + length;
  while (data < end) {
    size_t left = (size_t)(end - data), most = left < PIECE ? left : PIECE;
    const uint8_t *newline = log->held_length[stream] > 0 ? NULL : memchr(data, '\n', most);
    if (newline == NULL && (log->held_length[stream] > 0 || most < PIECE)) {
      data += fill_held(log, stream, data, left);
      continue;
    }
    emit(log, stream, data, newline == NULL ? PIECE : (size_t)(newline - data), newline != NULL);
    data = newline == NULL ? data + PIECE : newline + 1;
  }
  flush(log);
}

/* Gives the pages back while the container is silent. */
void log_rest(struct log *log) {
  if (log->out != NULL && log->held_length[0] + log->held_length[1] == 0)
    madvise(log->out, OUT_ROOM + 2 * PIECE, MADV_DONTNEED);
}

void log_close(struct log *log) {
  if (log->path == NULL) return;
  for (int stream = 0; stream < 2; stream++)
    if (log->held_length[stream] > 0) emit(log, stream, (uint8_t *)log->held[stream], log->held_length[stream], false);
  flush(log);
  close_fd(&log->fd);
  log->fd = -1;
}
