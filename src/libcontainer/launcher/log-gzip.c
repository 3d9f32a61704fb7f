/*
 * gzip of one file, in one pass: deflate with its fixed codes and matches found by a hash of four bytes. It packs
 * logs nearly as small as gzip does, at the speed of reading. Source: RFC 1951 and 1952.
 */
#include "step.h"
#include <sys/mman.h>
#include <sys/stat.h>

#define HASH_BITS 15
#define WINDOW 32768
#define LEAST_MATCH 4
#define MOST_MATCH 258
#define OUT_ROOM 65536
/* What one turn may put out at most: a few codes of 31 bits. */
#define SLACK 64

struct packer {
  int to;
  int error;
  uint64_t bits;
  unsigned bit_count;
  size_t used;
  uint32_t crc_table[256];
  uint32_t last[1 << HASH_BITS]; /* Where a hash was seen last, plus one. */
  uint8_t out[OUT_ROOM];
};

static void drain(struct packer *packer) {
  if (!packer->error) packer->error = write_all(packer->to, packer->out, packer->used);
  packer->used = 0;
}

static void put_bits(struct packer *packer, uint32_t value, unsigned count) {
  packer->bits |= (uint64_t)value << packer->bit_count;
  for (packer->bit_count += count; packer->bit_count >= 8; packer->bit_count -= 8, packer->bits >>= 8)
    packer->out[packer->used++] = (uint8_t)packer->bits;
}

/* Huffman codes go out with their highest bit first. */
static void put_code(struct packer *packer, uint32_t code, unsigned count) {
  uint32_t turned = 0;
  for (unsigned i = 0; i < count; i++) turned |= (code >> i & 1) << (count - 1 - i);
  put_bits(packer, turned, count);
}

static void put_symbol(struct packer *packer, unsigned symbol) {
  if (symbol < 144) put_code(packer, 0x30 + symbol, 8);
  else if (symbol < 256) put_code(packer, 0x190 + symbol - 144, 9);
  else if (symbol < 280) put_code(packer, symbol - 256, 7);
  else put_code(packer, 0xc0 + symbol - 280, 8);
}

/* Both tables of RFC 1951, section 3.2.5: groups of `1 << shift` codes double their span. */
static void put_match(struct packer *packer, size_t length, size_t distance) {
  if (length == MOST_MATCH) put_symbol(packer, 285);
  else {
    unsigned value = (unsigned)length - 3, extra = value < 8 ? 0 : 29 - (unsigned)__builtin_clz(value);
    put_symbol(packer, 257 + 4 * extra + (value >> extra));
    put_bits(packer, value & ((1u << extra) - 1), extra);
  }
  unsigned value = (unsigned)distance - 1, extra = value < 4 ? 0 : 30 - (unsigned)__builtin_clz(value);
  put_code(packer, 2 * extra + (value >> extra), 5);
  put_bits(packer, value & ((1u << extra) - 1), extra);
}

static size_t match_length(const uint8_t *a, const uint8_t *b, size_t most) {
  size_t length = 0;
  while (length < most && a[length] == b[length]) length++;
  return length;
}

static uint32_t hash_of(const uint8_t *at) {
  uint32_t word;
  memcpy(&word, at, sizeof word);
  return (word * 2654435761u) >> (32 - HASH_BITS);
}

static void pack(struct packer *packer, const uint8_t *data, size_t length) {
  for (size_t at = 0; at < length && !packer->error;) {
    size_t found = 0, distance = 0;
    if (length - at >= LEAST_MATCH) {
      uint32_t *last = &packer->last[hash_of(data + at)];
      size_t left = length - at, most = left < MOST_MATCH ? left : MOST_MATCH;
      distance = (uint32_t)(at + 1) - *last;
      if (*last != 0 && distance <= WINDOW && distance <= at) found = match_length(data + at - distance, data + at, most);
      *last = (uint32_t)(at + 1);
    }
    if (found >= LEAST_MATCH) put_match(packer, found, distance);
    else put_symbol(packer, data[at]);
    size_t end = at + (found >= LEAST_MATCH ? found : 1);
    for (at++; at < end; at++)
      if (length - at >= LEAST_MATCH) packer->last[hash_of(data + at)] = (uint32_t)(at + 1);
    if (packer->used > OUT_ROOM - SLACK) drain(packer);
  }
}

static uint32_t checksum(struct packer *packer, const uint8_t *data, size_t length) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
    packer->crc_table[i] = value;
  }
  uint32_t sum = ~0u;
  for (size_t i = 0; i < length; i++) sum = packer->crc_table[(sum ^ data[i]) & 255] ^ sum >> 8;
  return ~sum;
}

static void put_word(struct packer *packer, uint32_t word) {
  for (int shift = 0; shift < 32; shift += 8) put_bits(packer, word >> shift & 255, 8);
}

/* With a field of our own, `BK`, that tells a reader which file this was: it may be in the middle of it. */
static void put_head(struct packer *packer, uint64_t inode) {
  static const uint8_t head[] = {0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, 12, 0, 'B', 'K', 8, 0};
  for (size_t i = 0; i < sizeof head; i++) put_bits(packer, head[i], 8);
  put_word(packer, (uint32_t)inode);
  put_word(packer, (uint32_t)(inode >> 32));
}

/* A file that is cut short meanwhile ends the process, and the file stays as it is. */
int gzip_file(int from, int to) {
  struct stat file;
  struct packer *packer = new_pages(sizeof *packer);
  if (fstat(from, &file) < 0) return -errno;
  if (packer == NULL) return -ENOMEM;
  size_t length = (size_t)file.st_size;
  const uint8_t *data = length == 0 ? NULL : mmap(NULL, length, PROT_READ, MAP_SHARED, from, 0);
  if (data == MAP_FAILED) return -errno;
  packer->to = to;
  put_head(packer, file.st_ino);
  put_bits(packer, 3, 3); /* The last block, of fixed codes. */
  pack(packer, data, length);
  put_symbol(packer, 256);
  if (packer->bit_count > 0) put_bits(packer, 0, 8 - packer->bit_count);
  put_word(packer, checksum(packer, data, length));
  put_word(packer, (uint32_t)length);
  drain(packer);
  return packer->error;
}
