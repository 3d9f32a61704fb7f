/* The relay's frame: words to listeners, the loop, and the link whose end is its own. */
#include "relay.h"
#include <arpa/inet.h>
#include <grp.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define EVENTS 64
#define WORD_BYTES 256
#define UNPRIVILEGED 65534

int watch(const struct relay *relay, struct source *source, uint32_t interest) {
  if (source->interest == interest) return 0;
  int operation = interest == 0 ? EPOLL_CTL_DEL : source->interest == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  struct epoll_event event = {.events = interest, .data.ptr = source};
  if (epoll_ctl(relay->epoll, operation, source->fd, &event) < 0) return -errno;
  source->interest = interest;
  return 0;
}

static int parse_address(const char *text, const char *port, union address *into, socklen_t *length) {
  char *end;
  unsigned long number = strtoul(port, &end, 10);
  if (*end != '\0' || number == 0 || number > 65535) return -EINVAL;
  memset(into, 0, sizeof *into);
  if (strchr(text, ':') != NULL) {
    into->v6.sin6_family = AF_INET6;
    into->v6.sin6_port = htons((uint16_t)number);
    *length = sizeof into->v6;
    return inet_pton(AF_INET6, text, &into->v6.sin6_addr) == 1 ? 0 : -EINVAL;
  }
  into->v4.sin_family = AF_INET;
  into->v4.sin_port = htons((uint16_t)number);
  *length = sizeof into->v4;
  return inet_pton(AF_INET, text, &into->v4.sin_addr) == 1 ? 0 : -EINVAL;
}

static int listen_on(struct listener *listener, const union address *at, socklen_t length, bool is_tcp) {
  int on = 1;
  AUTO_FD fd = socket(at->any.sa_family, (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  bool is_v6 = at->any.sa_family == AF_INET6;
  if (is_v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) return -errno;
  /* Connections of an earlier relay that linger are not in the way. */
  if (is_tcp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) return -errno;
  if (bind(fd, &at->any, length) < 0) return -errno;
  if (is_tcp && listen(fd, SOMAXCONN) < 0) return -errno;
  int error = is_tcp ? 0 : udp_prepare(fd, is_v6);
  if (error) return error;
  listener->source = (struct source){.kind = is_tcp ? SOURCE_TCP : SOURCE_UDP, .fd = take_fd(&fd)};
  return 0;
}

/* protocol/address/port/address/port */
static int open_target(struct listener *listener, const char *word) {
  char copy[WORD_BYTES], *rest = copy, *fields[5];
  if (strlen(word) >= sizeof copy) return -ENAMETOOLONG;
  strcpy(copy, word);
  for (size_t i = 0; i < 5; i++)
    if ((fields[i] = strsep(&rest, "/")) == NULL) return -EINVAL;
  bool is_tcp = strcmp(fields[0], "tcp") == 0;
  if (rest != NULL || (!is_tcp && strcmp(fields[0], "udp") != 0)) return -EINVAL;
  union address at;
  socklen_t length;
  int error = parse_address(fields[1], fields[2], &at, &length);
  if (!error) error = parse_address(fields[3], fields[4], &listener->to, &listener->to_length);
  return error ? error : listen_on(listener, &at, length, is_tcp);
}

/* A socket that hears of links that come and go. */
static int open_links(void) {
  struct sockaddr_nl local = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
  AUTO_FD fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof local) < 0) return -errno;
  return take_fd(&fd);
}

/* A port that leaves its bridge is told in the same words, but for the family. */
static bool names_link(const struct nlmsghdr *head, const char *link) {
  const struct ifinfomsg *info = NLMSG_DATA(head);
  int room = (int)IFLA_PAYLOAD(head);
  if (info->ifi_family != AF_UNSPEC) return false;
  for (struct rtattr *a = IFLA_RTA(info); RTA_OK(a, room); a = RTA_NEXT(a, room))
    if (a->rta_type == IFLA_IFNAME) return strcmp(RTA_DATA(a), link) == 0;
  return false;
}

/* Whether the link has gone. It may come after the relay: until it was seen, its absence says nothing. */
static bool link_is_gone(int fd, const char *link, bool *was_seen) {
  _Alignas(8) char buffer[16384];
  ssize_t got;
  while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0) {
    for (struct nlmsghdr *head = (void *)buffer; NLMSG_OK(head, got); head = NLMSG_NEXT(head, got)) {
      if (!names_link(head, link)) continue;
      if (head->nlmsg_type == RTM_DELLINK) return true;
      *was_seen = true;
    }
  }
  /* Messages were lost: look for oneself. */
  return errno == ENOBUFS && *was_seen && if_nametoindex(link) == 0;
}

static void pause_accepting(struct relay *relay, bool is_full) {
  if (relay->is_full == is_full) return;
  relay->is_full = is_full;
  for (size_t i = 0; i < relay->listener_count; i++)
    if (relay->listeners[i].source.kind == SOURCE_TCP) watch(relay, &relay->listeners[i].source, is_full ? 0 : EPOLLIN);
}

static void dispatch(struct relay *relay, struct source *source) {
  switch (source->kind) {
  case SOURCE_TCP:
    tcp_accept(relay, (struct listener *)source);
    break;
  case SOURCE_UDP:
    udp_receive(relay, (struct listener *)source);
    break;
  case SOURCE_END:
    tcp_ready(relay, source);
    break;
  case SOURCE_FLOW:
    udp_answer(relay, source);
    break;
  case SOURCE_LINKS:
    break;
  }
}

int relay_serve(struct relay *relay, struct source *links, const char *link) {
  struct epoll_event events[EVENTS];
  bool was_seen = link != NULL && if_nametoindex(link) != 0;
  for (;;) {
    int count = epoll_wait(relay->epoll, events, EVENTS, udp_sweep(relay));
    if (count < 0 && errno != EINTR) return -errno;
    for (int i = 0; i < count; i++) {
      struct source *source = events[i].data.ptr;
      if (source != links) dispatch(relay, source);
      else if (link == NULL || link_is_gone(links->fd, link, &was_seen)) return 0;
    }
    tcp_sweep(relay);
    pause_accepting(relay, relay->connections >= relay->connection_limit);
  }
}

/* Descriptors bound how much may go on at once. */
void relay_set_limits(struct relay *relay) {
  struct rlimit limit;
  size_t room = 1024;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    room = limit.rlim_max > 65536 ? 65536 : (size_t)limit.rlim_max;
  }
  room = room > relay->listener_count + 64 ? room - relay->listener_count - 64 : 0;
  relay->flow_limit = room / 4 < MAX_FLOWS ? room / 4 : MAX_FLOWS;
  size_t left = (room - relay->flow_limit) / CONNECTION_FDS;
  relay->connection_limit = left < MAX_CONNECTIONS ? left : MAX_CONNECTIONS;
}

/* Everything that needs root is open by now. */
static int drop_privileges(void) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -errno;
  if (geteuid() != 0) return 0;
  if (setgroups(0, NULL) < 0 || setresgid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED) < 0) return -errno;
  return setresuid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED) < 0 ? -errno : 0;
}

/* "ready", or "failed INDEX ERRNO"; then nobody holds the caller's pipe any more. */
int relay_announce(size_t index, int error) {
  char line[64];
  int length = error ? snprintf(line, sizeof line, "failed %zu %d\n", index, -error) : snprintf(line, sizeof line, "ready\n");
  int result = write_all(1, line, (size_t)length);
  AUTO_FD null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; fd++)
    if (null >= 0) dup2(null, fd);
  return result;
}

int relay_main(int argc, char **argv) {
  if (argc > 0 && strcmp(argv[0], "relay") != 0) argc--, argv++;
  if (argc < 5) return 2;
  struct relay relay = {.listener_count = (size_t)argc - 4};
  struct source links = {.kind = SOURCE_LINKS, .fd = -1};
  size_t index = 0;
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_NAME, "bunker-relay");
  setsid();
  relay.epoll = epoll_create1(EPOLL_CLOEXEC);
  relay.listeners = calloc(relay.listener_count, sizeof *relay.listeners);
  relay_set_limits(&relay);
  int error = relay.epoll < 0 || relay.listeners == NULL || chdir("/") < 0 ? -errno : 0;
  if (!error) links.fd = open_links();
  if (!error) error = links.fd < 0 ? links.fd : watch(&relay, &links, EPOLLIN);
  for (; !error && index < relay.listener_count; index++) {
    error = open_target(&relay.listeners[index], argv[4 + index]);
    if (!error) error = watch(&relay, &relay.listeners[index].source, EPOLLIN);
    if (error) break;
  }
  if (!error) error = drop_privileges();
  if (relay_announce(index, error) || error) return 1;
  return relay_serve(&relay, &links, argv[3]) ? 1 : 0;
}
