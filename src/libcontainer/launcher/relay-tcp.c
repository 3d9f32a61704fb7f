/* Connections of the relay: two sockets, a pipe for each direction, half-closed as their ends are. */
#include "relay.h"
#include <netinet/tcp.h>

/* How many splices one connection may do in its turn: two that keep pace with the relay would let nobody else in. */
#define MOVES 32
/* Somebody who went without a word is missed after three minutes, and does not hold a connection for ever. */
#define IDLE_SECONDS 60
#define PROBE_SECONDS 15
#define PROBES 8

struct connection;

struct end {
  struct source source;
  struct connection *connection;
};

/* Bytes go from `from` through the pipe to `to`. */
struct direction {
  struct end *from, *to;
  int pipe[2];
  size_t pending;
  bool has_ended; /* `from` has said all; */
  bool is_closed; /* and `to` has been told. */
};

struct connection {
  struct end client, target;
  struct direction out, back;
  bool is_connected;
  struct connection *next_dead;
};

static struct connection *dead;

static void end_connection(struct relay *relay, struct connection *c, bool is_broken) {
  struct linger reset = {.l_onoff = 1};
  if (c->client.source.fd < 0) return;
  watch(relay, &c->client.source, 0);
  watch(relay, &c->target.source, 0);
  if (is_broken) setsockopt(c->client.source.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (is_broken) setsockopt(c->target.source.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  int *fds[] = {&c->client.source.fd, &c->target.source.fd, &c->out.pipe[0], &c->out.pipe[1], &c->back.pipe[0], &c->back.pipe[1]};
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
    close_fd(fds[i]);
    *fds[i] = -1;
  }
  c->next_dead = dead;
  dead = c;
  relay->connections--;
}

void tcp_sweep(struct relay *relay) {
  (void)relay;
  while (dead != NULL) {
    struct connection *c = dead;
    dead = c->next_dead;
    free(c);
  }
}

/* Moves what can be moved now, within limits. Returns -errno when the connection is broken. */
static int pump(struct direction *d) {
  for (int moves = 0; !d->is_closed && (moves < MOVES || d->has_ended); moves++) {
    if (d->pending == 0 && d->has_ended) {
      d->is_closed = true;
      return shutdown(d->to->source.fd, SHUT_WR) < 0 ? -errno : 0;
    }
    bool is_filling = d->pending == 0;
    ssize_t moved = is_filling ? splice(d->from->source.fd, NULL, d->pipe[1], NULL, CHUNK_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
                               : splice(d->pipe[0], NULL, d->to->source.fd, NULL, d->pending, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (moved < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (!is_filling) d->pending -= (size_t)moved;
    else if (moved == 0) d->has_ended = true;
    else d->pending = (size_t)moved;
  }
  return 0;
}

/* What to wait for at one end: bytes to take in, room for bytes that wait, or the end of connecting. */
static uint32_t interest_of(const struct direction *outgoing, const struct direction *incoming) {
  uint32_t reading = outgoing->pending == 0 && !outgoing->has_ended ? EPOLLIN : 0;
  return reading | (incoming->pending > 0 ? EPOLLOUT : 0);
}

static int carry(struct relay *relay, struct connection *c) {
  int error = pump(&c->out);
  if (!error) error = pump(&c->back);
  if (error) return error;
  if (c->out.is_closed && c->back.is_closed) return -ESHUTDOWN;
  error = watch(relay, &c->client.source, interest_of(&c->out, &c->back));
  return error ? error : watch(relay, &c->target.source, interest_of(&c->back, &c->out));
}

static int finish_connecting(struct connection *c) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(c->target.source.fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return -errno;
  c->is_connected = true;
  return -error;
}

void tcp_ready(struct relay *relay, struct source *source) {
  struct connection *c = ((struct end *)source)->connection;
  if (c->client.source.fd < 0) return;
  int error = c->is_connected ? 0 : finish_connecting(c);
  if (!error) error = carry(relay, c);
  if (error) end_connection(relay, c, error != -ESHUTDOWN);
}

static void keep_alive(int fd) {
  int on = 1, idle = IDLE_SECONDS, interval = PROBE_SECONDS, probes = PROBES;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

static int start_connection(struct relay *relay, struct connection *c, const struct listener *listener) {
  int kind = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  c->target.source.fd = socket(listener->to.any.sa_family, kind, 0);
  if (c->target.source.fd < 0) return -errno;
  keep_alive(c->client.source.fd);
  keep_alive(c->target.source.fd);
  if (pipe2(c->out.pipe, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(c->back.pipe, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
  if (connect(c->target.source.fd, &listener->to.any, listener->to_length) < 0 && errno != EINPROGRESS) return -errno;
  return watch(relay, &c->target.source, EPOLLOUT);
}

void tcp_accept(struct relay *relay, struct listener *listener) {
  if (relay->connections >= relay->connection_limit) return;
  int fd = accept4(listener->source.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  struct connection *c = malloc(sizeof *c);
  if (c == NULL) {
    close(fd);
    return;
  }
  *c = (struct connection){
    .client = {.source = {.kind = SOURCE_END, .fd = fd}, .connection = c},
    .target = {.source = {.kind = SOURCE_END, .fd = -1}, .connection = c},
    .out = {.from = &c->client, .to = &c->target, .pipe = {-1, -1}},
    .back = {.from = &c->target, .to = &c->client, .pipe = {-1, -1}},
  };
  relay->connections++;
  if (start_connection(relay, c, listener)) end_connection(relay, c, true);
}
