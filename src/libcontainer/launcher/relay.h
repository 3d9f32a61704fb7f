/*
 * `launcher relay OWNER CONTAINER LINK TARGET…`: carries connections to ports of the host to a container's address,
 * where address translation cannot. A TARGET is protocol/listening address/port/container's address/port. One
 * process, one thread; it ends when the link of that name goes, or is killed.
 */
#pragma once
#include "step.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define MAX_CONNECTIONS 2048
#define MAX_FLOWS 1024
/* Descriptors of one connection: two sockets, two pipes. */
#define CONNECTION_FDS 6
/* What one splice moves at most; a pipe holds as much. */
#define CHUNK_BYTES 65536
/* A UDP flow without a packet for so long is forgotten. */
#define FLOW_SECONDS 90
#define DATAGRAM_BYTES 65536

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_un path;
};

enum source_kind { SOURCE_LINKS, SOURCE_TCP, SOURCE_UDP, SOURCE_END, SOURCE_FLOW };

/* What an epoll event points at; the first member of what it stands for. */
struct source {
  enum source_kind kind;
  int fd;
  uint32_t interest;
};

struct listener {
  struct source source;
  union address to;
  socklen_t to_length;
};

struct relay {
  int epoll;
  size_t listener_count;
  struct listener *listeners;
  size_t connections, connection_limit, flow_limit;
  bool is_full; /* No further connection is accepted for now. */
};

/* Level-triggered; without interest the descriptor leaves the set, so that a hang-up does not wake for ever. */
int watch(const struct relay *relay, struct source *source, uint32_t interest);

/* Descriptors bound how much may go on at once. */
void relay_set_limits(struct relay *relay);
/* "ready", or "failed INDEX ERRNO"; then nobody holds the caller's pipe any more. */
int relay_announce(size_t index, int error);
/* Until the link of that name goes; without a name, until `links` has something to say. */
int relay_serve(struct relay *relay, struct source *links, const char *link);

void tcp_accept(struct relay *relay, struct listener *listener);
void tcp_ready(struct relay *relay, struct source *source);
/* Frees what ended during a round of events, when none of them can point at it any more. */
void tcp_sweep(struct relay *relay);

int udp_prepare(int fd, bool is_v6);
void udp_receive(struct relay *relay, struct listener *listener);
void udp_answer(struct relay *relay, struct source *source);
/* Forgets idle flows. Returns how many milliseconds until the next look, or -1 when there is no flow. */
int udp_sweep(struct relay *relay);
