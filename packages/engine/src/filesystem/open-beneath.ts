import { openBeneath, type Program } from '@lamella/syscall';

/**
 * Ops on a name below a directory, whose parents are followed through no link and out of nowhere: other processes that
 * may write there cannot lead this anywhere.
 *
 * @param top slot of the directory
 * @param name bytes of the name below it, as latin1
 * @param parent a slot for the directory the name is in, free again afterwards
 * @param ops what is done, given that directory's slot and the last part of the name
 */
export function beneath(top: number, name: string, parent: number, ops: (dirfd: number, base: Buffer) => Program): Program {
  const bytes = Buffer.from(name, 'latin1');
  const slash = name.lastIndexOf('/');
  if (slash < 0) return ops(top, bytes);
  return [openBeneath(top, bytes.subarray(0, slash), parent, { directory: true }), ...ops(parent, bytes.subarray(slash + 1)), { op: 'close', fd: parent }];
}

/** The same ops, which ignore that another process has removed the name, or a part of its path. */
export function unlessGone(program: Program): Program {
  return program.map((op) => ({ ...op, ignore: ['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV', 'EBADF'] }));
}

/** As {@link beneath}, where the directory that the name is in may be gone: then nothing is done. The ops say themselves what they ignore. */
export function beneathIfThere(top: number, name: string, parent: number, ops: (dirfd: number, base: Buffer) => Program): Program {
  return beneath(top, name, parent, ops).map((op) => (op.op === 'openat2' || op.op === 'close' ? (unlessGone([op])[0] ?? op) : op));
}
