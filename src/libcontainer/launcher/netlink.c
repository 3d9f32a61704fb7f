/* Sends rtnetlink messages that TypeScript has worded, filling in what only this process can know. */
#include "step.h"
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>


void links_open(struct links *links) { *links = (struct links){.home = -1, .child = -1, .host_socket = -1, .child_socket = -1}; }

void links_close(struct links *links) {
  close_fd(&links->home);
  close_fd(&links->child);
  close_fd(&links->host_socket);
  close_fd(&links->child_socket);
  links_open(links);
}

static int new_socket(void) { return (int)checked(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)); }

#define MAX_MESSAGE 16384

/* A socket belongs for ever to the namespace it was opened in, so this process only looks in. */
static int socket_inside(struct links *links, int namespace) {
  if (links->home < 0) links->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (links->home < 0) return -errno;
  if (setns(namespace, CLONE_NEWNET) < 0) return -errno;
  int fd = new_socket();
  return setns(links->home, CLONE_NEWNET) < 0 ? -errno : fd;
}

/* `is_own`: the socket is opened for this step alone and is the caller's to close. */
static int socket_for(struct links *links, const char *netns, bool *is_own) {
  *is_own = false;
  if (strcmp(netns, "host") == 0) {
    if (links->host_socket < 0) links->host_socket = new_socket();
    return links->host_socket;
  }
  if (strcmp(netns, "child") == 0) {
    if (links->child < 0) return -ENOENT;
    if (links->child_socket < 0) links->child_socket = socket_inside(links, links->child);
    return links->child_socket;
  }
  AUTO_FD namespace = open(netns, O_RDONLY | O_CLOEXEC);
  if (namespace < 0) return -errno;
  *is_own = true;
  return socket_inside(links, namespace);
}

/* A patch: offset (u32), kind (u32: 1 index of the link named, 2 the child's namespace), name, NUL. */
static int patch(const struct links *links, const struct step *step, int fd, uint8_t *message, uint32_t size) {
  uint32_t length, at = 0, head[2];
  const uint8_t *patches = arg_bytes(step, 2, &length);
  while (at < length) {
    if (length - at < sizeof head + 1) return -EPROTO;
    memcpy(head, patches + at, sizeof head);
    const char *name = (const char *)patches + at + sizeof head;
    size_t room = length - at - sizeof head, used = strnlen(name, room);
    if (used == room || size < 4 || head[0] > size - 4) return -EPROTO;
    at += (uint32_t)(sizeof head + used + 1);
    int32_t value = links->child;
    if (head[1] == 1) {
      struct ifreq request = {0};
      if (used >= sizeof request.ifr_name) return -ENAMETOOLONG;
      memcpy(request.ifr_name, name, used);
      if (ioctl(fd, SIOCGIFINDEX, &request) < 0) return -errno;
      value = request.ifr_ifindex;
    }
    memcpy(message + head[0], &value, sizeof value);
  }
  return 0;
}

static bool is_tolerated(const struct step *step, int error) {
  uint32_t length, number;
  const uint8_t *list = arg_bytes(step, 3, &length);
  for (uint32_t at = 0; at + 4 <= length; at += 4) {
    memcpy(&number, list + at, 4);
    if ((int)number == error) return true;
  }
  return false;
}

/* The kernel's words (extended acknowledgement), where it has any. */
static void keep_words(const struct nlmsghdr *head, char *detail) {
  const struct nlmsgerr *reply = (const void *)((const char *)head + NLMSG_HDRLEN);
  size_t at = NLMSG_HDRLEN + sizeof *reply;
  if (!(head->nlmsg_flags & NLM_F_ACK_TLVS)) return;
  if (!(head->nlmsg_flags & NLM_F_CAPPED)) at += NLMSG_ALIGN(reply->msg.nlmsg_len) - sizeof reply->msg;
  while (at + sizeof(struct nlattr) <= head->nlmsg_len) {
    const struct nlattr *attribute = (const void *)((const char *)head + at);
    if (attribute->nla_len < sizeof *attribute || at + attribute->nla_len > head->nlmsg_len) return;
    if (attribute->nla_type == NLMSGERR_ATTR_MSG)
      snprintf(detail, 84, "%.*s", (int)(attribute->nla_len - sizeof *attribute), (const char *)(attribute + 1));
    at += NLA_ALIGN(attribute->nla_len);
  }
}

static int acknowledged(int fd, uint32_t sequence, char *detail) {
  _Alignas(8) char reply[8192];
  for (;;) {
    ssize_t got = recv(fd, reply, sizeof reply, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    const struct nlmsghdr *head = (const void *)reply;
    if ((size_t)got < NLMSG_HDRLEN + sizeof(struct nlmsgerr) || head->nlmsg_len > (size_t)got) return -EPROTO;
    if (head->nlmsg_type != NLMSG_ERROR || head->nlmsg_seq != sequence) continue;
    keep_words(head, detail);
    return ((const struct nlmsgerr *)(const void *)(reply + NLMSG_HDRLEN))->error;
  }
}

static int exchange(struct links *links, const struct step *step, int fd, char *detail) {
  uint32_t length;
  const uint8_t *message = arg_bytes(step, 1, &length);
  _Alignas(8) uint8_t copy[MAX_MESSAGE];
  if (length < NLMSG_HDRLEN || length > sizeof copy) return -EMSGSIZE;
  memcpy(copy, message, length);
  int error = patch(links, step, fd, copy, length);
  if (error) return error;
  struct nlmsghdr *head = (void *)copy;
  head->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  head->nlmsg_seq = ++links->sequence;
  head->nlmsg_len = length;
  if (send(fd, copy, length, 0) < 0) return -errno;
  return acknowledged(fd, links->sequence, detail);
}

int step_netlink(struct links *links, const struct step *step, char *detail) {
  bool is_own;
  int fd = socket_for(links, arg_string(step, 0), &is_own);
  if (fd < 0) return fd;
  AUTO_FD owned = is_own ? fd : -1;
  int on = 1;
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  int error = exchange(links, step, fd, detail);
  (void)owned;
  return error < 0 && is_tolerated(step, -error) ? 0 : error;
}

/* `launcher netlink`: a plan of netlink steps on standard input, one report on standard output. */
int netlink_main(int argc, char **argv) {
  (void)argc, (void)argv;
  struct plan plan = {0};
  struct links links;
  struct report report = {.kind = REPORT_RUNNING};
  links_open(&links);
  int error = read_plan(0, &plan);
  for (size_t i = 0; !error && i < plan.count; i++) {
    report.step = (uint32_t)i;
    report.op = plan.steps[i].op;
    error = plan.steps[i].op == OP_NETLINK ? step_netlink(&links, &plan.steps[i], report.detail) : -EPROTO;
  }
  if (error) report.kind = REPORT_FAILED;
  report.error = -error;
  links_close(&links);
  free_plan(&plan);
  return write_all(1, &report, sizeof report) || error ? 1 : 0;
}
