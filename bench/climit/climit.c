/*
 * climit: what the kernel allows. One thread, one epoll, ready-made frames and a send(2) for each subscriber: for each message (mode "one"), or for all
 * messages that arrived together (mode "batch"). It is a yardstick and not a server: it skips the handshake's hash and checks next to nothing.
 *
 *   climit PORT one|batch
 *
 * "S room" subscribes and is answered with "A", "P room payload" brings the payload to the room.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAXFD = 65536, MAXROOM = 8192, INBYTES = 1 << 18, OUTBYTES = 1 << 20, EVENTS = 512 };

static struct {
	int *fd;
	int n, cap;
	char *out; /* frames that wait for flush */
	size_t len;
} room[MAXROOM];
static int dirty[MAXROOM], ndirty; /* rooms with waiting frames */
static struct {
	int open, room, place; /* room is -1 outside */
	char *pend;            /* what is not complete yet */
	size_t npend;
} conn[MAXFD];
static char in[INBYTES * 2];
static int batch, epoll;

static void sendall(int fd, const char *p, size_t n) {
	while (n) {
		ssize_t r = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r > 0) {
			p += r;
			n -= r;
		} else if (r < 0 && errno == EAGAIN) {
			struct pollfd pf = {fd, POLLOUT, 0};
			if (poll(&pf, 1, 1000) <= 0) return;
		} else {
			return;
		}
	}
}

static void flush(int r) {
	for (int i = 0; i < room[r].n; i++) sendall(room[r].fd[i], room[r].out, room[r].len);
	room[r].len = 0;
}

static void join(int fd, int r) {
	if (room[r].n == room[r].cap) {
		room[r].cap = room[r].cap ? room[r].cap * 2 : 8;
		room[r].fd = realloc(room[r].fd, room[r].cap * sizeof(int));
		if (!room[r].fd) abort();
	}
	conn[fd].room = r;
	conn[fd].place = room[r].n;
	room[r].fd[room[r].n++] = fd;
}

static void leave(int fd) {
	int r = conn[fd].room;
	if (r < 0) return;
	int last = room[r].fd[--room[r].n];
	room[r].fd[conn[fd].place] = last;
	conn[last].place = conn[fd].place;
	conn[fd].room = -1;
}

static void drop(int fd) {
	leave(fd);
	conn[fd].open = 0;
	conn[fd].npend = 0;
	close(fd);
}

static void publish(int r, const char *p, size_t n) {
	if (!room[r].out && !(room[r].out = malloc(OUTBYTES))) abort();
	if (room[r].len + n + 4 > OUTBYTES) flush(r);
	if (!room[r].len && batch) dirty[ndirty++] = r;
	unsigned char *o = (unsigned char *)room[r].out + room[r].len;
	size_t head = n < 126 ? 2 : 4;
	o[0] = 0x81;
	o[1] = n < 126 ? n : 126;
	if (n >= 126) {
		o[2] = n >> 8;
		o[3] = n;
	}
	memcpy(o + head, p, n);
	room[r].len += head + n;
	if (!batch) flush(r);
}

/* number reads the digits at *p, and moves *p behind them. */
static int number(const char **p, const char *end) {
	int n = 0;
	for (; *p < end && **p >= '0' && **p <= '9'; ++*p) n = (n * 10 + **p - '0') % MAXROOM;
	return n;
}

static void message(int fd, const char *p, size_t n) {
	const char *end = p + n, *at = p + 2;
	if (n > 2 && p[0] == 'S') {
		leave(fd);
		join(fd, number(&at, end));
		sendall(fd, "\x81\x01" "A", 3);
	} else if (n > 2 && p[0] == 'P') {
		int r = number(&at, end);
		if (at < end) publish(r, at + 1, end - at - 1);
	}
}

/* frames handles the whole frames from p on, and returns what is left. */
static char *frames(int fd, char *p, char *end) {
	while (end - p >= 6) {
		int op = p[0] & 15;
		size_t len = p[1] & 127, head = 6;
		if (len == 126) {
			if (end - p < 8) break;
			len = (unsigned char)p[2] << 8 | (unsigned char)p[3];
			head = 8;
		}
		if ((size_t)(end - p) < head + len) break;
		char *mask = p + head - 4, *d = p + head;
		for (size_t k = 0; k < len; k++) d[k] ^= mask[k & 3];
		if (op == 8) {
			sendall(fd, "\x88\x00", 2);
			drop(fd);
			return end;
		}
		if (op == 1 || op == 2) message(fd, d, len);
		p += head + len;
	}
	return p;
}

static void readable(int fd) {
	static const char ok[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
	if (conn[fd].npend) memcpy(in, conn[fd].pend, conn[fd].npend);
	ssize_t r = read(fd, in + conn[fd].npend, INBYTES);
	if (r <= 0) {
		if (r == 0 || errno != EAGAIN) drop(fd);
		return;
	}
	char *p = in, *end = in + conn[fd].npend + r;
	conn[fd].npend = 0;
	if (!conn[fd].open) {
		char *e = memmem(p, end - p, "\r\n\r\n", 4);
		if (e) {
			sendall(fd, ok, sizeof ok - 1);
			conn[fd].open = 1;
			p = e + 4;
		}
	}
	if (conn[fd].open) p = frames(fd, p, end);
	if (p < end) {
		if (!conn[fd].pend && !(conn[fd].pend = malloc(INBYTES))) abort();
		conn[fd].npend = end - p;
		memcpy(conn[fd].pend, p, end - p);
	}
}

static void acceptable(int listener) {
	for (int fd, one = 1; (fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0;) {
		if (fd >= MAXFD) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		conn[fd].room = -1;
		struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
	}
}

int main(int argc, char **argv) {
	if (argc != 3) {
		fprintf(stderr, "usage: climit PORT one|batch\n");
		return 2;
	}
	batch = !strcmp(argv[2], "batch");
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(listener, (void *)&a, sizeof a) || listen(listener, 4096)) {
		perror("climit");
		return 1;
	}
	epoll = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listener)
				acceptable(listener);
			else
				readable(fd);
		}
		while (ndirty) flush(dirty[--ndirty]);
	}
}
