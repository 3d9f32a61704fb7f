/*
 * `launcher front FD/PATH…`: takes connections from listening sockets that it was started with, systemd's above all,
 * and carries each to the daemon's own socket of that path. It ends when its standard input does.
 */
#include "relay.h"
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static int open_front(struct listener *listener, const char *word) {
  char *path;
  long fd = strtol(word, &path, 10);
  if (path == word || *path != '/' || fd < 3 || strlen(path) >= sizeof listener->to.path.sun_path) return -EINVAL;
  listener->to.path.sun_family = AF_UNIX;
  strcpy(listener->to.path.sun_path, path);
  listener->to_length = sizeof listener->to.path;
  listener->source = (struct source){.kind = SOURCE_TCP, .fd = (int)fd};
  int flags = fcntl((int)fd, F_GETFL);
  return flags < 0 || fcntl((int)fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

/* It stays root, which alone may open the daemon's sockets, without anything that root may do besides. */
static int give_up_capabilities(void) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -errno;
  return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

int front_main(int argc, char **argv) {
  if (argc > 0 && strcmp(argv[0], "front") != 0) argc--, argv++;
  if (argc < 2) return 2;
  struct relay relay = {.listener_count = (size_t)argc - 1};
  struct source parent = {.kind = SOURCE_LINKS, .fd = fcntl(0, F_DUPFD_CLOEXEC, 3)};
  size_t index = 0;
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_NAME, "bunker-front");
  relay.epoll = epoll_create1(EPOLL_CLOEXEC);
  relay.listeners = calloc(relay.listener_count, sizeof *relay.listeners);
  relay_set_limits(&relay);
  int error = parent.fd < 0 || relay.epoll < 0 || relay.listeners == NULL || chdir("/") < 0 ? -errno : 0;
  if (!error) error = watch(&relay, &parent, EPOLLIN);
  for (; !error && index < relay.listener_count; index++) {
    error = open_front(&relay.listeners[index], argv[1 + index]);
    if (!error) error = watch(&relay, &relay.listeners[index].source, EPOLLIN);
    if (error) break;
  }
  if (!error) error = give_up_capabilities();
  if (relay_announce(index, error) || error) return 1;
  return relay_serve(&relay, &parent, NULL) ? 1 : 0;
}
