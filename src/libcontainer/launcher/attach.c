/*
 * Clients of the container's streams, on a socket in the state directory. A client's first eight bytes are a kind
 * (A attach, R resize, W wait for the end), flags (1 stdin, 2 stdout, 4 stderr), rows and columns (u16, little
 * endian) and two zeros. Output is framed as Docker frames it, unless there is a terminal.
 */
#include "step.h"
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define MAX_CLIENTS 4096
#define FULL_MILLISECONDS 10
enum { WANTS_STDIN = 1, WANTS_STDOUT = 2, WANTS_STDERR = 4 };

static bool is_attached(const struct client *client) { return client->have == 8 && client->header[0] == 'A'; }

static bool sends_input(const struct client *client) {
  return is_attached(client) && (client->header[1] & WANTS_STDIN) != 0;
}

void accept_clients(struct terminal *terminal) {
  for (int fd; (fd = accept4(terminal->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
    if (terminal->count == terminal->room) {
      size_t room = terminal->room == 0 ? 4 : terminal->room * 2;
      struct client *more = room > MAX_CLIENTS ? NULL : realloc(terminal->clients, room * sizeof *more);
      if (more == NULL) {
        close(fd);
        continue;
      }
      terminal->clients = more;
      terminal->room = room;
    }
    terminal->clients[terminal->count] = (struct client){.fd = fd};
    /* A client that was there before the program began misses nothing of it. */
    serve_client(terminal, &terminal->clients[terminal->count++], POLLIN);
  }
  /* Whoever knocks while nothing can be opened knocks on: not a thousand times in each moment. */
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) poll(NULL, 0, FULL_MILLISECONDS);
}

static void enqueue(struct client *client, const void *data, size_t length) {
  if (length == 0) return;
  if (client->start + client->queued + length > client->room) {
    if (client->start > 0) memmove(client->queue, client->queue + client->start, client->queued);
    client->start = 0;
    if (client->queued + length > client->room) {
      char *more = realloc(client->queue, client->queued + length);
      if (more == NULL) {
        client->doomed = true;
        return;
      }
      client->queue = more;
      client->room = client->queued + length;
    }
  }
  memcpy(client->queue + client->start + client->queued, data, length);
  client->queued += length;
}

/* False when the client is gone. */
bool flush_client(struct client *client) {
  while (client->queued > 0) {
    ssize_t sent = send(client->fd, client->queue + client->start, client->queued, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN;
    client->start += (size_t)sent;
    client->queued -= (size_t)sent;
  }
  free(client->queue);
  client->queue = NULL;
  client->start = client->room = 0;
  return true;
}

static void send_to(struct client *client, const struct iovec *parts, int count) {
  size_t sent = 0;
  if (client->queued == 0) {
    struct msghdr head = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count};
    ssize_t got = sendmsg(client->fd, &head, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (got < 0 && errno != EAGAIN && errno != EINTR) {
      client->doomed = true;
      return;
    }
    sent = got < 0 ? 0 : (size_t)got;
  }
  for (int i = 0; i < count; i++) {
    size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;
    enqueue(client, (const char *)parts[i].iov_base + skip, parts[i].iov_len - skip);
    sent -= skip;
  }
}

/* `stream`: 0 standard output, 1 standard error. */
void send_output(struct terminal *terminal, int stream, const void *data, size_t length) {
  uint8_t frame[8] = {(uint8_t)(stream + 1), 0, 0, 0, (uint8_t)(length >> 24), (uint8_t)(length >> 16),
                      (uint8_t)(length >> 8), (uint8_t)length};
  struct iovec parts[2] = {{frame, sizeof frame}, {(void *)(uintptr_t)data, length}};
  int first = terminal->is_pty ? 1 : 0;
  for (size_t i = 0; i < terminal->count; i++) {
    struct client *client = &terminal->clients[i];
    int wanted = stream == 0 ? WANTS_STDOUT : WANTS_STDERR;
    if (is_attached(client) && !client->doomed && (client->header[1] & wanted))
      send_to(client, parts + first, 2 - first);
  }
}

/* A reader that is too slow holds the container back, as with a pipe, for as long as it stays. */
bool is_congested(const struct terminal *terminal, size_t limit) {
  for (size_t i = 0; i < terminal->count; i++)
    if (!terminal->clients[i].doomed && terminal->clients[i].queued > limit) return true;
  return false;
}

static void resize(struct terminal *terminal, struct client *client) {
  const uint8_t *h = client->header;
  struct winsize size = {.ws_row = (unsigned short)(h[2] | h[3] << 8), .ws_col = (unsigned short)(h[4] | h[5] << 8)};
  int32_t error = !terminal->is_pty ? ENOTTY : ioctl(terminal->out, TIOCSWINSZ, &size) < 0 ? errno : 0;
  enqueue(client, &error, sizeof error);
  flush_client(client);
  client->doomed = true;
}

static void read_header(struct terminal *terminal, struct client *client) {
  ssize_t got = recv(client->fd, client->header + client->have, 8u - client->have, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    client->doomed = true;
    return;
  }
  client->have = (uint8_t)(client->have + got);
  if (client->have < 8) return;
  if (client->header[0] == 'R') resize(terminal, client);
  else if (client->header[0] != 'A' && client->header[0] != 'W') client->doomed = true;
}

/* The end of a client's input ends the container's, where that was asked for. A terminal has no such end. */
static void end_input(struct terminal *terminal, struct client *client) {
  client->ended = true;
  if (sends_input(client) && terminal->stdin_once && !terminal->is_pty) terminal->close_in = true;
}

static void read_input(struct terminal *terminal, struct client *client) {
  char nothing[512];
  bool is_wanted = sends_input(client) && terminal->in >= 0;
  if (is_wanted && terminal->pending_length > 0) return;
  char *into = is_wanted ? terminal->pending : nothing;
  ssize_t got = recv(client->fd, into, is_wanted ? STDIN_ROOM : sizeof nothing, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    end_input(terminal, client);
    if (got < 0) client->doomed = true;
    return;
  }
  if (!is_wanted) return;
  terminal->pending_start = 0;
  terminal->pending_length = (size_t)got;
  write_pending(terminal);
}

void serve_client(struct terminal *terminal, struct client *client, short events) {
  if (events & POLLOUT && !flush_client(client)) client->doomed = true;
  if (events & (POLLIN | POLLHUP | POLLERR) && client->have < 8) read_header(terminal, client);
  else if (events & (POLLIN | POLLHUP | POLLERR) && !client->ended) read_input(terminal, client);
  if (events & POLLHUP && client->ended) client->doomed = true;
}

/*
 * A client whose input must wait is not looked at: poll tells of a hang-up whatever was asked, and what it sent
 * before that is still to be read.
 */
struct pollfd client_poll(const struct terminal *terminal, const struct client *client) {
  bool is_held = !client->ended && sends_input(client) && terminal->in >= 0 && terminal->pending_length > 0;
  short events = (short)((client->ended || is_held ? 0 : POLLIN) | (client->queued > 0 ? POLLOUT : 0));
  return (struct pollfd){is_held && events == 0 ? -1 : client->fd, events, 0};
}

void write_pending(struct terminal *terminal) {
  while (terminal->pending_length > 0 && terminal->in >= 0) {
    ssize_t put = write(terminal->in, terminal->pending + terminal->pending_start, terminal->pending_length);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) return;
    if (put < 0) { /* Nobody reads it any more. */
      terminal->pending_length = 0;
      terminal->close_in = true;
      break;
    }
    terminal->pending_start += (size_t)put;
    terminal->pending_length -= (size_t)put;
  }
  if (!terminal->close_in || terminal->in < 0 || terminal->is_pty) return;
  close(terminal->in);
  terminal->in = -1;
}

/* They read to the end, which must not wait for others who read slowly. */
void answer_waiters(struct terminal *terminal, const char *record, size_t length) {
  for (size_t i = 0; i < terminal->count; i++) {
    struct client *client = &terminal->clients[i];
    if (client->have == 8 && client->header[0] == 'W') {
      enqueue(client, record, length);
      flush_client(client);
      client->doomed = true;
    }
  }
  drop_doomed(terminal);
}

void drop_doomed(struct terminal *terminal) {
  size_t kept = 0;
  for (size_t i = 0; i < terminal->count; i++) {
    struct client *client = &terminal->clients[i];
    if (client->doomed && !client->ended && client->have == 8) end_input(terminal, client);
    if (!client->doomed) {
      terminal->clients[kept++] = *client;
      continue;
    }
    close(client->fd);
    free(client->queue);
  }
  terminal->count = kept;
  if (terminal->close_in) write_pending(terminal);
}
