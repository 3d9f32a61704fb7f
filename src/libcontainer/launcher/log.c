/*
 * What a program says, cut into pieces as Docker's copier cuts it: lines, and of lines over 16 KiB parts without a
 * newline. Each piece goes to every sink that the plan names. Source: moby, daemon/logger/copier.go.
 */
#include "step.h"
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

void *new_pages(size_t length) {
  void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

int64_t milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Once per read. Go's RFC3339Nano: in UTC, without zeros at the end. */
static void stamp(struct log *log) {
  struct tm date;
  clock_gettime(CLOCK_REALTIME, &log->time);
  gmtime_r(&log->time.tv_sec, &date);
  size_t length = strftime(log->stamp, sizeof log->stamp, "%Y-%m-%dT%H:%M:%S", &date);
  if (log->time.tv_nsec != 0) {
    length += (size_t)snprintf(log->stamp + length, sizeof log->stamp - length, ".%09ld", log->time.tv_nsec);
    while (log->stamp[length - 1] == '0') length--;
  }
  log->stamp[length++] = 'Z';
  log->stamp_length = length;
}

int log_open(struct log *log, const struct plan *plan) {
  *log = (struct log){0};
  for (size_t i = 0; i < plan->count; i++) {
    const struct step *step = &plan->steps[i];
    if (step->op != OP_LOG_FILE && step->op != OP_LOG_SOCKET) continue;
    if (log->count == MAX_SINKS) return -E2BIG;
    struct sink *sink = &log->sinks[log->count];
    *sink = step->op == OP_LOG_FILE ? FILE_SINK : SOCKET_SINK;
    int error = sink->open(sink, step);
    if (error) return error;
    log->count++;
  }
  if (log->count == 0) return 0;
  if ((log->held[0] = new_pages(2 * PIECE)) == NULL) return -ENOMEM;
  log->held[1] = log->held[0] + PIECE;
  return 0;
}

/* The C library's memchr looks at half as many bytes at once, and lines are short. */
static const uint8_t *find_newline(const uint8_t *data, size_t length) {
#ifdef __SSE2__
  for (const __m128i newline = _mm_set1_epi8('\n'); length >= sizeof newline; data += sizeof newline, length -= sizeof newline) {
    unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)data), newline));
    if (found != 0) return data + __builtin_ctz(found);
  }
#endif
  return memchr(data, '\n', length);
}

static void name_line(char id[PART_ID + 1]) {
  uint8_t random[PART_ID / 2] = {0};
  if (getrandom(random, sizeof random, GRND_NONBLOCK) < 0) memset(random, 0, sizeof random);
  for (size_t i = 0; i < sizeof random; i++) snprintf(id + 2 * i, 3, "%02x", random[i]);
}

static void emit(struct log *log, int stream, const uint8_t *data, size_t length, bool is_whole) {
  if (!is_whole && log->ordinal[stream] == 0) name_line(log->id[stream]);
  if (!is_whole || log->ordinal[stream] > 0) log->ordinal[stream]++;
  struct piece piece = {.stream = stream, .data = data, .length = length, .is_whole = is_whole,
                        .ordinal = log->ordinal[stream], .id = log->id[stream],
                        .time = log->time, .stamp = log->stamp, .stamp_length = log->stamp_length};
  for (size_t i = 0; i < log->count; i++) log->sinks[i].put(&log->sinks[i], &piece);
  if (is_whole) log->ordinal[stream] = 0;
}

/* Completes what is held with the start of `data`; says how much of it was used. */
static size_t fill_held(struct log *log, int stream, const uint8_t *data, size_t length) {
  size_t held = log->held_length[stream], room = PIECE - held, take = length < room ? length : room;
  const uint8_t *newline = find_newline(data, take);
  if (newline != NULL) take = (size_t)(newline - data);
  memcpy(log->held[stream] + held, data, take);
  log->held_length[stream] = held + take;
  if (newline == NULL && held + take < PIECE) return take;
  emit(log, stream, (uint8_t *)log->held[stream], held + take, newline != NULL);
  log->held_length[stream] = 0;
  return take + (newline != NULL);
}

static void flush(struct log *log) {
  for (size_t i = 0; i < log->count; i++) log->sinks[i].flush(&log->sinks[i]);
}

void log_write(struct log *log, int stream, const uint8_t *data, size_t length) {
  if (log->count == 0) return;
  stamp(log);
  const uint8_t *end = data + length;
  while (data < end) {
    size_t left = (size_t)(end - data), most = left < PIECE ? left : PIECE;
    const uint8_t *newline = log->held_length[stream] > 0 ? NULL : find_newline(data, most);
    if (newline == NULL && (log->held_length[stream] > 0 || most < PIECE)) {
      data += fill_held(log, stream, data, left);
      continue;
    }
    emit(log, stream, data, newline == NULL ? PIECE : (size_t)(newline - data), newline != NULL);
    data = newline == NULL ? data + PIECE : newline + 1;
  }
  flush(log);
}

void log_rest(struct log *log) {
  if (log->count > 0 && log->held_length[0] + log->held_length[1] == 0) madvise(log->held[0], 2 * PIECE, MADV_DONTNEED);
  for (size_t i = 0; i < log->count; i++) log->sinks[i].rest(&log->sinks[i]);
}

void log_close(struct log *log) {
  if (log->count == 0) return;
  stamp(log);
  for (int stream = 0; stream < 2; stream++)
    if (log->held_length[stream] > 0) emit(log, stream, (uint8_t *)log->held[stream], log->held_length[stream], false);
  flush(log);
  for (size_t i = 0; i < log->count; i++) log->sinks[i].close(&log->sinks[i]);
  log->count = 0;
}
