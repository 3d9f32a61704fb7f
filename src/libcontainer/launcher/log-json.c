/*
 * Docker's json-file log, byte for byte: one object a line, what is not UTF-8 as U+FFFD. Source: moby, jsonfilelog
 * and jsonlog.
 */
#include "step.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

#ifdef __SSE2__
enum { WORD = 16 };

/* How many of the sixteen bytes at `at` are plain, up to the first that is not. As signed, what is not ASCII is below a space. */
static size_t plain_bytes(const uint8_t *at) {
  __m128i bytes = _mm_loadu_si128((const __m128i *)at);
  __m128i odd = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
  odd = _mm_or_si128(odd, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
  odd = _mm_or_si128(odd, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
  odd = _mm_or_si128(odd, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('&')));
  odd = _mm_or_si128(odd, _mm_cmpeq_epi8(_mm_and_si128(bytes, _mm_set1_epi8((char)0xfd)), _mm_set1_epi8('<'))); /* and > */
  return (size_t)__builtin_ctz((unsigned)_mm_movemask_epi8(odd) | 1u << WORD);
}
#else
enum { WORD = 8 };

/* All eight or none. Tests for a value in any byte are those of "Bit Twiddling Hacks". */
static size_t plain_bytes(const uint8_t *at) {
  const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
  uint64_t word;
  memcpy(&word, at, sizeof word);
  uint64_t odd = word | (word - ones * 0x20);
  const uint8_t special[] = {'\\', '"', '<', '>', '&'};
  for (size_t i = 0; i < sizeof special; i++) {
    uint64_t other = word ^ (ones * special[i]);
    odd |= (other - ones) & ~other;
  }
  return (odd & tops) == 0 ? WORD : 0;
}
#endif

char *escape_json(char *out, const uint8_t *at, const uint8_t *end) {
  while (at < end) {
    size_t plain = WORD;
    while (plain == WORD && end - at >= WORD) {
      plain = plain_bytes(at);
      memcpy(out, at, WORD); /* There is room: each byte that is left takes one at least. */
      at += plain;
      out += plain;
    }
    for (const uint8_t *near = end - at < WORD ? end : at + WORD; at < near && is_plain(*at);) *out++ = (char)*at++;
    if (at < end && !is_plain(*at)) out = escape_one(out, &at, end);
  }
  return out;
}

static char *encode(char *out, const struct piece *piece, const char *extra, size_t extra_length) {
  out = PUT(out, "{\"log\":\"");
  out = escape_json(out, piece->data, piece->data + piece->length);
  if (piece->is_whole) out = PUT(out, "\\n");
  out = piece->stream == 0 ? PUT(out, "\",\"stream\":\"stdout\"") : PUT(out, "\",\"stream\":\"stderr\"");
  if (extra_length > 0) out = put_bytes(PUT(out, ",\"attrs\":"), extra, extra_length);
  out = PUT(out, ",\"time\":\"");
  memcpy(out, piece->stamp, STAMP_BYTES);
  return PUT(out + piece->stamp_length, "\"}\n");
}

static size_t whole(const char *bytes, size_t length) {
  const char *newline = length == 0 ? NULL : memrchr(bytes, '\n', length);
  return newline == NULL ? 0 : (size_t)(newline - bytes) + 1;
}

static int mend(int fd, off_t size) {
  char last;
  if (pread(fd, &last, 1, size - 1) != 1 || last == '\n') return 0;
  return write_all(fd, "\n", 1);
}

const struct encoding JSON_ENCODING = {encode, whole, mend};
