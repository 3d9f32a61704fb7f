/*
 * A log to a socket: journald's native protocol and syslog. Messages wait in a queue while nobody takes them; when it
 * is full, a `blocking` log holds the container for a while, and then, as another does at once, loses what comes.
 * Source: systemd's JOURNAL_NATIVE_PROTOCOL, RFC 3164 and 5424, moby's journald and syslog drivers.
 */
#include "step.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* A container is held for so long by a log that takes nothing; from then on until it takes something, not at all. */
#define HOLD_MILLISECONDS 5000
#define RETRY_MILLISECONDS 1000
/* At its end a container waits so long for its last messages to be taken. */
#define LAST_MILLISECONDS 3000
#define STAMP_ROOM 64
/* Beside what the container adds: the fields of a part, the times, the text itself. */
#define WORST_MESSAGE (PIECE + 512)

enum { ARG_FORMAT, ARG_TYPE, ARG_ADDRESS, ARG_BUFFER, ARG_BLOCKING, ARG_HEAD, ARG_HEAD_OF_ERRORS, ARG_STAMP, ARG_TAIL };
enum message_format { FORMAT_JOURNAL = 1, FORMAT_SYSLOG = 2 };
enum stamp_kind { STAMP_SHORT = 1, STAMP_SECONDS = 2, STAMP_MICROSECONDS = 3 };

struct text {
  char *bytes;
  uint32_t length;
};

/* Messages lie behind each other, each after its length. */
struct log_socket {
  enum message_format format;
  int fd, type;
  bool is_connecting, is_blocking;
  struct sockaddr_storage address;
  socklen_t address_length;
  struct text heads[2], tail;
  enum stamp_kind stamp;
  char *queue;
  size_t room, start, end;
  size_t sent; /* Of the first message, on this connection. */
  int64_t retry_at, stuck_since;
};

static int copy_text(struct text *text, const struct step *step, uint32_t index) {
  const uint8_t *bytes = arg_bytes(step, index, &text->length);
  text->bytes = malloc((size_t)text->length + 1);
  if (text->bytes == NULL) return -ENOMEM;
  memcpy(text->bytes, bytes, text->length);
  return 0;
}

static int open_sink(struct sink *sink, const struct step *step) {
  struct log_socket *self = sink->socket = calloc(1, sizeof *self);
  uint32_t length;
  const uint8_t *address = arg_bytes(step, ARG_ADDRESS, &length);
  if (self == NULL) return -ENOMEM;
  if (length < sizeof(sa_family_t) || length > sizeof self->address) return -EINVAL;
  self->fd = -1;
  self->format = (enum message_format)arg_number(step, ARG_FORMAT);
  self->type = (int)arg_number(step, ARG_TYPE);
  memcpy(&self->address, address, length);
  self->address_length = length;
  self->is_blocking = arg_number(step, ARG_BLOCKING);
  self->stamp = (enum stamp_kind)arg_number(step, ARG_STAMP);
  int error = copy_text(&self->heads[0], step, ARG_HEAD);
  if (!error) error = copy_text(&self->heads[1], step, ARG_HEAD_OF_ERRORS);
  if (!error) error = copy_text(&self->tail, step, ARG_TAIL);
  if (error) return error;
  size_t worst = WORST_MESSAGE + self->heads[0].length + self->heads[1].length + self->tail.length;
  self->room = arg_number(step, ARG_BUFFER);
  if (self->room < 2 * worst) self->room = 2 * worst;
  self->queue = new_pages(self->room);
  return self->queue == NULL ? -ENOMEM : 0;
}

/* What had been sent of the first message in part is sent again, whole, to whoever is there next. */
static void drop_connection(struct log_socket *self) {
  close_fd(&self->fd);
  self->fd = -1;
  self->sent = 0;
  self->is_connecting = false;
  self->retry_at = milliseconds() + RETRY_MILLISECONDS;
}

static bool is_connected(struct log_socket *self) {
  if (self->fd >= 0 && !self->is_connecting) return true;
  if (self->fd < 0) {
    if (milliseconds() < self->retry_at) return false;
    self->fd = socket(self->address.ss_family, self->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self->fd >= 0 && connect(self->fd, (void *)&self->address, self->address_length) == 0) return true;
    self->is_connecting = self->fd >= 0 && errno == EINPROGRESS;
    if (!self->is_connecting) drop_connection(self);
    return false;
  }
  struct pollfd ready = {self->fd, POLLOUT, 0};
  int error = 0;
  socklen_t length = sizeof error;
  if (poll(&ready, 1, 0) <= 0) return false;
  self->is_connecting = false;
  if (getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0) return true;
  drop_connection(self);
  return false;
}

/* The journal takes messages that are larger than a datagram in a sealed file. */
static ssize_t send_by_file(const struct log_socket *self, const char *message, size_t length) {
  AUTO_FD file = memfd_create("journal-message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0 || write_all(file, message, length) != 0) return -1;
  if (fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) return -1;
  char space[CMSG_SPACE(sizeof(int))] = {0};
  struct msghdr head = {.msg_control = space, .msg_controllen = sizeof space};
  struct cmsghdr *rider = CMSG_FIRSTHDR(&head);
  rider->cmsg_level = SOL_SOCKET;
  rider->cmsg_type = SCM_RIGHTS;
  rider->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(rider), &file, sizeof(int));
  return sendmsg(self->fd, &head, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : (ssize_t)length;
}

static ssize_t send_message(const struct log_socket *self, const char *message, size_t length) {
  ssize_t sent = send(self->fd, message, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0 || errno != EMSGSIZE) return sent;
  sent = self->format == FORMAT_JOURNAL ? send_by_file(self, message, length) : -1;
  return sent < 0 && errno != EAGAIN ? (ssize_t)length : sent; /* Nobody will ever take it. */
}

/* Nobody listens there: of a datagram over the network that is told afterwards, and is no connection's end. */
static bool is_unheard(const struct log_socket *self) {
  return errno == ECONNREFUSED && self->type == SOCK_DGRAM && self->address.ss_family != AF_UNIX;
}

static void send_queue(struct log_socket *self) {
  while (self->start < self->end && is_connected(self)) {
    uint32_t length;
    memcpy(&length, self->queue + self->start, sizeof length);
    const char *message = self->queue + self->start + sizeof length;
    ssize_t sent = send_message(self, message + self->sent, length - self->sent);
    if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) return;
    if (sent < 0 && (errno == EINTR || is_unheard(self))) continue;
    if (sent < 0) {
      drop_connection(self);
      return;
    }
    self->stuck_since = 0;
    self->sent += (size_t)sent;
    if (self->sent < length) continue;
    self->start += sizeof length + length;
    self->sent = 0;
  }
  if (self->start == self->end) self->start = self->end = 0;
}

/* Until more can be sent, or something else is to be tried. */
static void await_turn(const struct log_socket *self, int64_t most) {
  struct pollfd ready = {self->fd, POLLOUT, 0};
  int64_t retry = self->fd < 0 ? self->retry_at - milliseconds() : most;
  poll(&ready, 1, (int)(retry < 0 ? 0 : retry < most ? retry : most));
  if (self->fd >= 0 && ready.revents & POLLERR) poll(NULL, 0, 1);
}

static bool make_room(struct log_socket *self, size_t need) {
  while (self->room - self->end < need) {
    if (self->start > 0) {
      memmove(self->queue, self->queue + self->start, self->end - self->start);
      self->end -= self->start;
      self->start = 0;
      continue;
    }
    send_queue(self);
    if (self->start > 0 || self->end == 0) continue;
    if (!self->is_blocking) return false;
    int64_t now = milliseconds();
    if (self->stuck_since == 0) self->stuck_since = now;
    int64_t left = self->stuck_since + HOLD_MILLISECONDS - now;
    if (left <= 0) return false;
    await_turn(self, left);
  }
  return true;
}

static char *put_stamp(char *out, const struct log_socket *self, const struct piece *piece) {
  struct tm date;
  localtime_r(&piece->time.tv_sec, &date);
  const char *shape = self->stamp == STAMP_SHORT ? "%b %e %H:%M:%S" : "%Y-%m-%dT%H:%M:%S";
  out += strftime(out, STAMP_ROOM, shape, &date);
  if (self->stamp == STAMP_MICROSECONDS) out += snprintf(out, STAMP_ROOM, ".%06ld", piece->time.tv_nsec / 1000);
  if (self->stamp == STAMP_SHORT) return out;
  long minutes = date.tm_gmtoff / 60;
  if (minutes == 0) return PUT(out, "Z");
  unsigned away = (unsigned)labs(minutes);
  return out + snprintf(out, STAMP_ROOM, "%c%02u:%02u", minutes < 0 ? '-' : '+', away / 60 % 100, away % 60);
}

static char *put_part(char *out, const struct piece *piece) {
  if (piece->ordinal == 0) return out;
  if (!piece->is_whole) out = PUT(out, "CONTAINER_PARTIAL_MESSAGE=true\n");
  out = put_bytes(PUT(out, "CONTAINER_PARTIAL_ID="), piece->id, PART_ID);
  out += sprintf(out, "\nCONTAINER_PARTIAL_ORDINAL=%u\n", piece->ordinal);
  return out + sprintf(out, "CONTAINER_PARTIAL_LAST=%s\n", piece->is_whole ? "true" : "false");
}

static char *put_message(char *out, const struct log_socket *self, const struct piece *piece) {
  const struct text *head = &self->heads[piece->stream];
  out = put_bytes(out, head->bytes, head->length);
  if (self->format == FORMAT_JOURNAL) {
    out = put_bytes(PUT(put_part(out, piece), "SYSLOG_TIMESTAMP="), piece->stamp, piece->stamp_length);
    out = PUT(out, "\nMESSAGE=");
  } else out = put_bytes(put_stamp(out, self, piece), self->tail.bytes, self->tail.length);
  return PUT(put_bytes(out, piece->data, piece->length), "\n");
}

static void put(struct sink *sink, const struct piece *piece) {
  struct log_socket *self = sink->socket;
  if (!make_room(self, WORST_MESSAGE + self->heads[piece->stream].length + self->tail.length)) return;
  char *start = self->queue + self->end + sizeof(uint32_t);
  uint32_t length = (uint32_t)(put_message(start, self, piece) - start);
  memcpy(self->queue + self->end, &length, sizeof length);
  self->end += sizeof length + length;
}

static void flush(struct sink *sink) { send_queue(sink->socket); }

static void rest(struct sink *sink) {
  if (sink->socket->start == sink->socket->end) madvise(sink->socket->queue, sink->socket->room, MADV_DONTNEED);
}

static void close_sink(struct sink *sink) {
  struct log_socket *self = sink->socket;
  int64_t end = milliseconds() + LAST_MILLISECONDS;
  for (send_queue(self); self->start < self->end && milliseconds() < end; send_queue(self))
    await_turn(self, end - milliseconds());
  close_fd(&self->fd);
  self->fd = -1;
}

const struct sink SOCKET_SINK = {.open = open_sink, .put = put, .flush = flush, .rest = rest, .close = close_sink};

static struct log_socket *socket_of(const struct log *log) {
  for (size_t i = 0; i < log->count; i++)
    if (log->sinks[i].socket != NULL) return log->sinks[i].socket;
  return NULL;
}

/* Also while nothing is to be sent: a connection that the other side has ended must not swallow the next message. */
struct pollfd log_poll(const struct log *log) {
  const struct log_socket *self = socket_of(log);
  if (self == NULL || self->fd < 0) return (struct pollfd){-1, 0, 0};
  bool has_more = self->is_connecting || self->start < self->end;
  return (struct pollfd){self->fd, (short)(POLLRDHUP | (has_more ? POLLOUT : 0)), 0};
}

/* Milliseconds until the next attempt to connect for what waits; -1 when there is none to make. */
int64_t log_due(const struct log *log) {
  const struct log_socket *self = socket_of(log);
  if (self == NULL || self->fd >= 0 || self->start == self->end) return -1;
  int64_t left = self->retry_at - milliseconds();
  return left < 0 ? 0 : left;
}

void log_serve(struct log *log) {
  struct log_socket *self = socket_of(log);
  struct pollfd state = {self->fd, POLLRDHUP, 0};
  if (self->fd >= 0 && !self->is_connecting && poll(&state, 1, 0) > 0) {
    int error;
    socklen_t length = sizeof error;
    if (state.revents & (POLLRDHUP | POLLHUP)) drop_connection(self);
    else getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &error, &length);
  }
  send_queue(self);
}
