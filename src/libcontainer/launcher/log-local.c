/*
 * Docker's `local` log: each entry a protobuf between two copies of its length (u32, big endian). Source: moby,
 * daemon/logger/local and logdriver/entry.proto. What the container adds to each entry comes encoded.
 */
#include "step.h"

#define FRAME 4
#define LONGEST_ENTRY 1000000

enum { SOURCE = 0x0a, TIME = 0x10, LINE = 0x1a, PARTIAL = 0x20, PART = 0x2a, PART_LAST = 0x08, PART_NAME = 0x12, PART_ORDINAL = 0x18 };

static char *varint(char *out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *out++ = (char)(value | 0x80);
  *out++ = (char)value;
  return out;
}

static char *big_endian(char *out, size_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) *out++ = (char)(value >> shift);
  return out;
}

static size_t read_length(const char *at) {
  const uint8_t *byte = (const uint8_t *)at;
  return (size_t)byte[0] << 24 | (size_t)byte[1] << 16 | (size_t)byte[2] << 8 | byte[3];
}

static char *bytes_field(char *out, uint8_t tag, const void *bytes, size_t length) {
  *out++ = (char)tag;
  return put_bytes(varint(out, length), bytes, length);
}

static char *part_fields(char *out, const struct piece *piece) {
  char part[PART_ID + 16], *end = part;
  if (piece->is_whole) end = varint(varint(end, PART_LAST), 1);
  end = bytes_field(end, PART_NAME, piece->id, PART_ID);
  *end++ = PART_ORDINAL;
  end = varint(end, piece->ordinal);
  *out++ = PARTIAL;
  *out++ = 1;
  return bytes_field(out, PART, part, (size_t)(end - part));
}

static char *encode(char *out, const struct piece *piece, const char *extra, size_t extra_length) {
  char *start = out;
  out = bytes_field(out + FRAME, SOURCE, piece->stream == 0 ? "stdout" : "stderr", 6);
  *out++ = TIME;
  out = varint(out, (uint64_t)piece->time.tv_sec * 1000000000 + (uint64_t)piece->time.tv_nsec);
  out = bytes_field(out, LINE, piece->data, piece->length);
  if (piece->ordinal > 0) out = part_fields(out, piece);
  out = put_bytes(out, extra, extra_length);
  size_t length = (size_t)(out - start) - FRAME;
  big_endian(start, length);
  return big_endian(out, length);
}

static size_t whole(const char *bytes, size_t length) {
  for (size_t at = 0;;) {
    if (length - at < FRAME) return at;
    size_t entry = read_length(bytes + at) + 2 * FRAME;
    if (length - at < entry) return at;
    at += entry;
  }
}

static bool read_at(int fd, off_t at, char frame[FRAME]) { return pread(fd, frame, FRAME, at) == FRAME; }

/* Back to the end of the last entry that is whole: the common case looks at that one only. */
static int mend(int fd, off_t size) {
  char head[FRAME], foot[FRAME];
  if (size >= 2 * FRAME && read_at(fd, size - FRAME, foot)) {
    off_t start = size - 2 * FRAME - (off_t)read_length(foot);
    if (start >= 0 && read_at(fd, start, head) && memcmp(head, foot, FRAME) == 0) return 0;
  }
  off_t at = 0;
  for (off_t end; at + 2 * FRAME <= size && read_at(fd, at, head); at = end) {
    end = at + 2 * FRAME + (off_t)read_length(head);
    if (read_length(head) > LONGEST_ENTRY || end > size) break;
    if (!read_at(fd, end - FRAME, foot) || memcmp(head, foot, FRAME) != 0) break;
  }
  return ftruncate(fd, at) < 0 ? -errno : 0;
}

const struct encoding LOCAL_ENCODING = {encode, whole, mend};
