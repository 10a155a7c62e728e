/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients on the socket of a container: orders in, as frames; news and output out, as replies. A client that reads
 * output too slowly holds the process back, as a terminal would. One that reads nothing for ten seconds is
 * disconnected.
 */
#include "monitor/monitor.h"
#include "base/text.h"
#include "base/send.h"
#include "wire/reply.h"
#include <linux/fcntl.h>
#include <linux/socket.h>
#include <linux/time_types.h>
#include <linux/un.h>

#define SOCK_STREAM_FLAGS (1 | O_CLOEXEC | O_NONBLOCK)
#define PATIENCE 10000000000ULL
#define FAREWELL 2000000000ULL

enum { TELL_STARTED = 1, TELL_EXITED = 2 };

struct client {
	int fd, watching, tell;
	/* Incomplete orders. */
	u8 orders[8192];
	u32 orders_length;
	/* How much of the chunk was sent; a short message; and since when the client accepts nothing. */
	u32 sent;
	u8 note[REPLY_HEADER];
	u32 note_length, note_sent;
	u64 stuck;
};

static struct client clients[CLIENTS];
static int listener = -1;

long clients_listen(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	long fd, err;

	/* The path of a descriptor is short; sun_path has 108 bytes. */
	__builtin_memcpy(descriptor_path(address.sun_path, supervision.directory), "/control", 9);
	SYS(unlinkat, supervision.directory, "control", 0);
	fd = SYS(socket, AF_UNIX, SOCK_STREAM_FLAGS, 0);
	if (fd < 0)
		return fd;
	err = SYS(bind, fd, &address, sizeof(address));
	if (!err)
		err = SYS(listen, fd, CLIENTS);
	if (err < 0) {
		SYS(close, fd);
		return err;
	}
	listener = (int)fd;
	for (int i = 0; i < CLIENTS; i++)
		clients[i].fd = -1;
	return 0;
}

static void leave(struct client *client)
{
	SYS(close, client->fd);
	client->fd = -1;
}

static int behind(const struct client *client)
{
	return client->fd >= 0 && client->watching && client->sent < m.chunk_length;
}

static int noting(const struct client *client)
{
	return client->fd >= 0 && (client->tell || client->note_sent < client->note_length);
}

int clients_behind(void)
{
	if (listener < 0)
		return 0;
	for (int i = 0; i < CLIENTS; i++)
		if (behind(&clients[i]))
			return 1;
	return 0;
}

void clients_new_chunk(void)
{
	if (listener >= 0)
		for (int i = 0; i < CLIENTS; i++)
			clients[i].sent = 0;
}

/* Returns -EAGAIN if the client accepts no more now. Any other failure disconnects it. */
static long send_to(struct client *client, const u8 *data, u32 length, u32 *sent)
{
	while (*sent < length) {
		long n = SYS(sendto, client->fd, data + *sent, length - *sent, MSG_NOSIGNAL_FLAG, 0, 0);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN) {
			if (!client->stuck)
				client->stuck = now(1 /* CLOCK_MONOTONIC */);
			return n;
		}
		if (n <= 0) {
			leave(client);
			return -EPIPE;
		}
		client->stuck = 0;
		*sent += (u32)n;
	}
	return 0;
}

static void compose(struct client *client)
{
	int started = client->tell & TELL_STARTED;

	client->tell &= ~(started ? TELL_STARTED : TELL_EXITED);
	if (started)
		reply_header(client->note, REPLY_STARTED, 0, m.index, m.pid, 0);
	else
		reply_header(client->note, REPLY_EXITED, m.signal, m.index, m.status, 0);
	client->note_length = REPLY_HEADER;
	client->note_sent = 0;
}

/* Sends what the client accepts. Messages are never interleaved. */
static void serve(struct client *client)
{
	for (;;) {
		if (client->note_sent < client->note_length &&
		    send_to(client, client->note, client->note_length, &client->note_sent) < 0)
			return;
		if (behind(client) && send_to(client, m.chunk, m.chunk_length, &client->sent) < 0)
			return;
		if (client->fd < 0 || !client->tell)
			return;
		compose(client);
	}
}

static int watchers(void)
{
	int count = 0;

	for (int i = 0; i < CLIENTS; i++)
		count += clients[i].fd >= 0 && clients[i].watching;
	return count;
}

/* Input waits until the process has read what came before. */
static void obey_orders(struct client *client)
{
	u32 used = 0;

	while (client->fd >= 0) {
		struct frame frame;
		long n = frame_decode(client->orders + used, client->orders_length - used, &frame);

		if (n < 0 || (n == 0 && client->orders_length - used == sizeof(client->orders))) {
			leave(client);
			return;
		}
		if (n == 0)
			break;
		if ((frame.opcode == ORDER_input || frame.opcode == ORDER_end_input) &&
		    m.input_at < m.input_end)
			break;
		if (frame.opcode == ORDER_watch) {
			if (frame.number[0] & 1 && !client->watching && watchers() == WATCHERS) {
				leave(client);
				return;
			}
			client->watching = frame.number[0] & 1;
			/* It gets output from now on. */
			client->sent = m.chunk_length;
		} else {
			obey(&frame);
		}
		used += (u32)n;
	}
	client->orders_length -= used;
	__builtin_memmove(client->orders, client->orders + used, client->orders_length);
}

void clients_go_on(void)
{
	if (listener < 0)
		return;
	for (int i = 0; i < CLIENTS; i++)
		if (clients[i].fd >= 0 && clients[i].orders_length)
			obey_orders(&clients[i]);
}

static void read_orders(struct client *client)
{
	long n = SYS(read, client->fd, client->orders + client->orders_length,
		     sizeof(client->orders) - client->orders_length);

	if (n == -EINTR || n == -EAGAIN)
		return;
	if (n <= 0) {
		leave(client);
		return;
	}
	client->orders_length += (u32)n;
}

static void welcome(void)
{
	for (;;) {
		long fd = SYS(accept4, listener, 0, 0, O_CLOEXEC | O_NONBLOCK);
		int i = 0;

		if (fd < 0)
			return;
		while (i < CLIENTS && clients[i].fd >= 0)
			i++;
		if (i == CLIENTS) {
			SYS(close, fd);
			continue;
		}
		clients[i] = (struct client){ .fd = (int)fd };
		if (m.announced)
			clients[i].tell = TELL_STARTED;
	}
}

int clients_poll(struct pollfd *p)
{
	int count = 0;

	if (listener < 0)
		return 0;
	p[count++] = (struct pollfd){ listener, POLLIN, 0 };
	for (int i = 0; i < CLIENTS; i++) {
		struct client *client = &clients[i];
		int full = client->orders_length == sizeof(client->orders);

		p[count++] = (struct pollfd){
			.fd = client->fd,
			.events = (short)((full ? 0 : POLLIN) | (behind(client) || noting(client) ? POLLOUT : 0)),
		};
	}
	return count;
}

void clients_serve(const struct pollfd *p, int count)
{
	if (!count)
		return;
	for (int i = 0; i < CLIENTS; i++) {
		struct client *client = &clients[i];

		if (client->fd < 0)
			continue;
		if (p[1 + i].fd == client->fd && p[1 + i].revents & (POLLIN | POLLHUP | POLLERR))
			read_orders(client);
		/* Orders of the last read are handled too, now that there may be room. */
		if (client->fd >= 0)
			obey_orders(client);
		if (client->fd >= 0)
			serve(client);
	}
	if (p[0].revents)
		welcome();
}

void clients_give_up_the_slow(void)
{
	if (listener < 0)
		return;
	for (int i = 0; i < CLIENTS; i++)
		if (clients[i].fd >= 0 && clients[i].stuck && now(1) - clients[i].stuck > PATIENCE)
			leave(&clients[i]);
}

static void tell(int what)
{
	if (listener < 0)
		return;
	for (int i = 0; i < CLIENTS; i++)
		if (clients[i].fd >= 0) {
			clients[i].tell |= what;
			serve(&clients[i]);
		}
}

void clients_tell_started(void)
{
	tell(TELL_STARTED);
}

void clients_tell_exited(void)
{
	u64 until = now(1) + FAREWELL;

	if (listener < 0)
		return;
	welcome(); /* also for clients that connected meanwhile */
	tell(TELL_EXITED);
	for (;;) {
		struct pollfd p[CLIENTS];
		struct __kernel_timespec wait = { 0, 100000000 };
		int left = 0;

		for (int i = 0; i < CLIENTS; i++) {
			int busy = behind(&clients[i]) || noting(&clients[i]);

			left += busy;
			p[i] = (struct pollfd){ busy ? clients[i].fd : -1, POLLOUT, 0 };
		}
		if (!left || now(1) > until)
			return;
		SYS(ppoll, p, CLIENTS, &wait, 0, 0);
		for (int i = 0; i < CLIENTS; i++)
			if (p[i].revents)
				serve(&clients[i]);
	}
}
