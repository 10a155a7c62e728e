/* SPDX-License-Identifier: Apache-2.0 */
/* Terminals: that of the user, which is raw meanwhile, and that of the container, whose master the monitor has. */
#include "monitor/monitor.h"
#include "base/text.h"
#include "ops/op.h"
#include "ops/program.h"
#include "wire/reply.h"
#include "base/slots.h"
#include "tree/tree.h"
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/fcntl.h>

#define DEVPTS_SUPER_MAGIC 0x1cd1

struct winsize {
	unsigned short rows, cols, x, y;
};

static struct termios saved;

void terminal_raw(void)
{
	struct termios raw;

	if (SYS(ioctl, 0, TCGETS, &saved) < 0)
		return;
	reply(REPLY_TERMINAL, 0, m.index, 0, &saved, sizeof(saved));
	raw = saved;
	raw.c_iflag &= ~(u32)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	raw.c_oflag &= ~(u32)OPOST;
	raw.c_lflag &= ~(u32)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	raw.c_cflag = (raw.c_cflag & ~(u32)(CSIZE | PARENB)) | CS8;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	m.raw = SYS(ioctl, 0, TCSETS, &raw) == 0;
}

void terminal_restore(void)
{
	if (m.raw)
		SYS(ioctl, 0, TCSETS, &saved);
	m.raw = 0;
}

void take_window_size(void)
{
	struct winsize size;

	if (m.master >= 0 && m.foreground && SYS(ioctl, 0, TIOCGWINSZ, &size) == 0 && size.rows)
		SYS(ioctl, m.master, TIOCSWINSZ, &size);
}

void set_window_size(int rows, int columns)
{
	struct winsize size = { (unsigned short)rows, (unsigned short)columns, 0, 0 };

	if (m.master >= 0)
		SYS(ioctl, m.master, TIOCSWINSZ, &size);
}

int typed(const char *from, int length, char *to, int *written)
{
	/* How many of the keys that detach were typed. They are held back until the sequence is complete or broken. */
	static u32 matched;
	const struct bytes *keys = &supervision.keys;

	*written = 0;
	for (int i = 0; i < length; i++) {
		if (keys->length && from[i] == keys->at[matched]) {
			if (++matched == keys->length) {
				matched = 0;
				return 1;
			}
			continue;
		}
		for (u32 k = 0; k < matched; k++)
			to[(*written)++] = keys->at[k];
		matched = keys->length && from[i] == keys->at[0] ? 1 : 0;
		if (!matched)
			to[(*written)++] = from[i];
		else if (keys->length == 1)
			return 1;
	}
	return 0;
}

/* Returns whether a descriptor is in a real devpts: the container may have replaced it. */
static int is_devpts(int fd)
{
	u64 info[32];

	return SYS(fstatfs, fd, info) == 0 && (u32)info[0] == DEVPTS_SUPER_MAGIC;
}

/*
 * Opens a new terminal in the devpts of slot number[0]. The slave goes into slot number[5]; the master goes into slot
 * number[6], or to the monitor if that is -1. number[1..4] are rows, columns (0: as the monitor has), uid and gid.
 */
long op_pty(const struct frame *frame)
{
	int devpts = slot_get(frame->number[0]), unlocked = 0;
	struct winsize size = { (unsigned short)frame->number[1], (unsigned short)frame->number[2], 0, 0 };
	long master, slave, err;

	if (devpts == -EBADF || monitor_socket < 0)
		return -EBADF;
	if (!is_devpts(devpts))
		return -ENODEV;
	master = SYS(openat, devpts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (master < 0)
		return master;
	err = SYS(ioctl, master, TIOCSPTLCK, &unlocked);
	if (!err && size.rows && size.cols)
		err = SYS(ioctl, master, TIOCSWINSZ, &size);
	slave = err < 0 ? err : SYS(ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave >= 0)
		err = SYS(fchown, slave, frame->number[3], frame->number[4]);
	if (slave >= 0 && !err && frame->number[6] == -1)
		err = send_to_monitor('T', (int)master);
	else if (slave >= 0 && !err) {
		long kept = slot_put(frame->number[6], master);

		err = kept < 0 ? kept : 0;
		master = -1;
	}
	if (master >= 0)
		SYS(close, master);
	if (slave < 0)
		return slave;
	if (err < 0) {
		SYS(close, slave);
		return err;
	}
	return slot_put(frame->number[5], slave);
}
