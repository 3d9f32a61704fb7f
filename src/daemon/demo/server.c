/*
 * The one program of the image bunker/demo: serves one page on port 80 and logs each request as a line.
 * A first process of a pid namespace gets no signal it has not asked for, so it asks for SIGTERM and SIGINT.
 */
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const char PAGE[] =
    "<!doctype html><html lang=en><title>bunker</title><style>body{font:20px/1.5 system-ui;margin:15vh auto;"
    "max-width:32em;padding:0 1em}</style><h1>It works!</h1><p>This page comes out of a container: its own "
    "file system, processes, network and limits, started by <b>bunker</b>.</p></html>\n";

static void end(int number) { _exit(number == SIGINT ? 130 : 0); }

static void put(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written <= 0) return;
        bytes += written;
        size -= (size_t)written;
    }
}

static size_t digits(char *to, size_t number) {
    size_t length = 0;
    if (number >= 10) length = digits(to, number / 10);
    to[length] = (char)('0' + number % 10);
    return length + 1;
}

static void answer(int client) {
    char request[2048], head[256];
    ssize_t size = read(client, request, sizeof request - 1);
    if (size <= 0) return;
    request[size] = 0;
    char *line_end = strpbrk(request, "\r\n");
    if (line_end == NULL) return;
    *line_end++ = '\n';
    int is_page = strncmp(request, "GET ", 4) == 0 || strncmp(request, "HEAD ", 5) == 0;
    const char *status = is_page ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 405 Method Not Allowed\r\n";
    size_t used = strlen(status);
    memcpy(head, status, used);
    static const char REST[] = "Content-Type: text/html; charset=utf-8\r\nConnection: close\r\nContent-Length: ";
    memcpy(head + used, REST, sizeof REST - 1);
    used += sizeof REST - 1;
    used += digits(head + used, is_page ? sizeof PAGE - 1 : 0);
    memcpy(head + used, "\r\n\r\n", 4);
    put(client, head, used + 4);
    if (is_page && request[0] == 'G') put(client, PAGE, sizeof PAGE - 1);
    put(1, request, (size_t)(line_end - request));
    shutdown(client, SHUT_WR);
}

int main(void) {
    signal(SIGTERM, end);
    signal(SIGINT, end);
    signal(SIGPIPE, SIG_IGN);
    int server = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct timeval patience = {.tv_sec = 5};
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server, (struct sockaddr *)&address, sizeof address) != 0 || listen(server, 64) != 0) return 1;
    static const char READY[] = "demo server: listening on port 80\n";
    put(1, READY, sizeof READY - 1);
    for (;;) {
        int client = accept(server, NULL, NULL);
        if (client < 0) continue;
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        answer(client);
        close(client);
    }
}
