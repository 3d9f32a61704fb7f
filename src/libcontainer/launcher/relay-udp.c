/* Datagrams of the relay: a connected socket for each client, so that its answers find the way back. */
#include "relay.h"

struct flow {
  struct source source;
  struct listener *listener;
  union address client;
  socklen_t client_length;
  /* The address of this host that the client spoke to: answers come from there. */
  struct in6_pktinfo local_v6;
  struct in_pktinfo local_v4;
  time_t last;
  struct flow *next;
};

union control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static struct flow *flows, *forgotten;
static size_t flow_count;
static char datagram[DATAGRAM_BYTES];

static time_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec;
}

int udp_prepare(int fd, bool is_v6) {
  int on = 1;
  int result = is_v6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) : setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  return result < 0 ? -errno : 0;
}

/* Its memory stays until no event of this round can point at it. */
static void forget(struct relay *relay, struct flow **place) {
  struct flow *flow = *place;
  *place = flow->next;
  watch(relay, &flow->source, 0);
  close_fd(&flow->source.fd);
  flow->source.fd = -1;
  flow->next = forgotten;
  forgotten = flow;
  flow_count--;
}

int udp_sweep(struct relay *relay) {
  time_t limit = now() - FLOW_SECONDS;
  for (struct flow **place = &flows; *place != NULL;)
    if ((*place)->last < limit) forget(relay, place);
    else place = &(*place)->next;
  while (forgotten != NULL) {
    struct flow *flow = forgotten;
    forgotten = flow->next;
    free(flow);
  }
  return flows == NULL ? -1 : FLOW_SECONDS * 500;
}

/* The one whose last packet is the oldest. */
static void forget_oldest(struct relay *relay) {
  struct flow **oldest = &flows;
  for (struct flow **place = &flows; *place != NULL; place = &(*place)->next)
    if ((*place)->last < (*oldest)->last) oldest = place;
  if (*oldest != NULL) forget(relay, oldest);
}

static struct flow *open_flow(struct relay *relay, struct listener *listener, const struct flow *like) {
  if (flow_count >= relay->flow_limit) forget_oldest(relay);
  AUTO_FD fd = socket(listener->to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || connect(fd, &listener->to.any, listener->to_length) < 0) return NULL;
  struct flow *flow = malloc(sizeof *flow);
  if (flow == NULL) return NULL;
  *flow = *like;
  flow->source = (struct source){.kind = SOURCE_FLOW, .fd = fd};
  if (watch(relay, &flow->source, EPOLLIN)) {
    free(flow);
    return NULL;
  }
  take_fd(&fd);
  flow->next = flows;
  flows = flow;
  flow_count++;
  return flow;
}

static bool is_same(const struct flow *a, const struct flow *b) {
  return a->listener == b->listener && a->client_length == b->client_length &&
         memcmp(&a->client, &b->client, a->client_length) == 0 &&
         memcmp(&a->local_v6.ipi6_addr, &b->local_v6.ipi6_addr, sizeof a->local_v6.ipi6_addr) == 0 &&
         a->local_v4.ipi_spec_dst.s_addr == b->local_v4.ipi_spec_dst.s_addr;
}

static struct flow *find_flow(struct relay *relay, struct listener *listener, const struct flow *like) {
  for (struct flow *flow = flows; flow != NULL; flow = flow->next)
    if (is_same(flow, like)) return flow;
  return open_flow(relay, listener, like);
}

static void read_local(struct msghdr *message, struct flow *like) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) memcpy(&like->local_v6, CMSG_DATA(c), sizeof like->local_v6);
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) memcpy(&like->local_v4, CMSG_DATA(c), sizeof like->local_v4);
  }
}

/* One datagram a turn: no flood keeps the others waiting. */
void udp_receive(struct relay *relay, struct listener *listener) {
  union control control;
  struct flow like = {.listener = listener};
  struct iovec part = {.iov_base = datagram, .iov_len = sizeof datagram};
  struct msghdr message = {
    .msg_name = &like.client,
    .msg_namelen = sizeof like.client,
    .msg_iov = &part,
    .msg_iovlen = 1,
    .msg_control = control.bytes,
    .msg_controllen = sizeof control.bytes,
  };
  ssize_t got = recvmsg(listener->source.fd, &message, 0);
  if (got < 0) return;
  like.client_length = message.msg_namelen;
  read_local(&message, &like);
  struct flow *flow = find_flow(relay, listener, &like);
  if (flow == NULL) return;
  flow->last = now();
  /* What the container does not take is lost, as datagrams may be. */
  if (send(flow->source.fd, datagram, (size_t)got, 0) < 0) return;
}

static void write_local(struct msghdr *message, const struct flow *flow) {
  bool is_v6 = flow->client.any.sa_family == AF_INET6;
  struct in_pktinfo v4 = {.ipi_spec_dst = flow->local_v4.ipi_spec_dst};
  size_t size = is_v6 ? sizeof flow->local_v6 : sizeof v4;
  message->msg_controllen = CMSG_SPACE(size);
  struct cmsghdr *c = CMSG_FIRSTHDR(message);
  c->cmsg_level = is_v6 ? IPPROTO_IPV6 : IPPROTO_IP;
  c->cmsg_type = is_v6 ? IPV6_PKTINFO : IP_PKTINFO;
  c->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(c), is_v6 ? (const void *)&flow->local_v6 : (const void *)&v4, size);
}

void udp_answer(struct relay *relay, struct source *source) {
  (void)relay;
  struct flow *flow = (struct flow *)source;
  if (source->fd < 0) return;
  ssize_t got = recv(source->fd, datagram, sizeof datagram, 0);
  if (got < 0) return;
  union control control = {0};
  struct iovec part = {.iov_base = datagram, .iov_len = (size_t)got};
  struct msghdr message = {
    .msg_name = &flow->client,
    .msg_namelen = flow->client_length,
    .msg_iov = &part,
    .msg_iovlen = 1,
    .msg_control = control.bytes,
    .msg_controllen = sizeof control.bytes,
  };
  write_local(&message, flow);
  flow->last = now();
  if (sendmsg(flow->listener->source.fd, &message, 0) < 0) return;
}
