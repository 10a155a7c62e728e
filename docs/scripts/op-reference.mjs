import path from 'node:path';

/** What ops do that are more, or other, than the system call of their name. Every other op has a manual page, which its fields are named after. */
const COMPOUND = {
  attempt: 'Runs a program that may fail with the errors that the op ignores. Then the rest of that program is skipped.',
  await_served: 'Waits until a served process writes to a descriptor.',
  bpf_prog_attach: 'Attaches a BPF program, see bpf(2).',
  bpf_prog_load: 'Loads a BPF program, see bpf(2).',
  clone: 'Forks a program into new namespaces. This process becomes its monitor.',
  compare: 'Walks an upper beside its lowers, and replies with each name that differs.',
  copy_file: 'Copies a regular file, with holes.',
  copy_object: 'Copies an object with owner, mode, times and attributes. It must be of the kind that the flags require.',
  covered: 'Checks that a mask covers a path.',
  end_served: 'Waits until served processes have ended, and then kills them.',
  expect: 'Compares an object with what was noted of it.',
  expect_type: 'Compares the type of the filesystem that a descriptor is on.',
  inherited: 'Takes a descriptor that the interpreter inherited.',
  init: 'Stays as process 1, which reaps and forwards signals.',
  landed: 'Checks where in the root a descriptor is, before something is mounted on it.',
  mkpath: 'Creates the directories of a path, below a root and without following links out of it.',
  netlink: 'Sends a message to the kernel by rtnetlink(7), and replies with the answer.',
  netns: 'Creates an empty network namespace and keeps a descriptor of it.',
  on_exit: 'Sets the program that runs when the monitored process is gone.',
  own_stdio: 'Gives the pipes or the terminal of stdio to a user.',
  pty: 'Opens a pseudoterminal, and gives its master to the monitor.',
  read_file: 'Replies with the content of a file.',
  rename_seen: 'Renames an object if it is the one that was noted.',
  reply_to: 'Sends replies to another descriptor.',
  rmtree: 'Removes a tree, without following links or crossing mounts.',
  same_object: 'Compares a descriptor with the identity of an object.',
  send_fd: 'Sends a descriptor over a socket.',
  serve: 'Starts a process that serves the program, such as fuse-overlayfs.',
  supervise: 'Turns the monitor into one that keeps a log and records, listens, and outlives Node.',
  userns: 'Creates a user namespace with maps and keeps a descriptor of it.',
  wait: 'Waits for an order of the control pipe.',
  walk: 'Replies with each object of a tree.',
  walk_seen: 'Replies with each object of a tree, with contents, as a process in the container sees it.',
  write_file: 'Opens a file, writes to it and closes it.',
};
/** Orders for a running monitor. */
const ORDERS = {
  end_input: 'Closes the stdin of the process.',
  foreground: 'Takes the terminal again.',
  go: 'Continues a program that waits, with these ops.',
  input: 'Writes to the stdin of the process.',
  leave: 'Detaches this client.',
  resize: 'Sets the size of the terminal.',
  signal: 'Sends a signal to the process.',
  stop: 'Asks the process to end, and does not restart it.',
  watch: 'Subscribes to news, and to output.',
};

/** Returns the page of the operations of a program: their fields from the table of the wire format. */
export async function opReference(root) {
  const { OPCODES } = await import(path.join(root, 'packages/syscall/dist/index.js'));
  const known = { ...COMPOUND, ...ORDERS };
  const gone = Object.keys(known).filter((name) => !(name in OPCODES));
  if (gone.length) throw new Error(`these ops do not exist any more: ${gone.join(', ')}`);
  const row = (name, what) => {
    const { numbers, strings } = OPCODES[name];
    return `| \`${name}\` | ${[...numbers, ...strings].map((field) => `\`${field}\``).join(' ')} | ${what} |`;
  };
  const names = Object.keys(OPCODES).sort();
  const table = (rows) => `| op | fields | what it does |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
  const calls = names.filter((name) => !(name in known)).map((name) => row(name, `[${name}(2)](https://man7.org/linux/man-pages/man2/${name}.2.html)`));
  return {
    'ops.md': [
      '# Operations',
      'A program for the interpreter is a list of these. Fields are named after the manual pages. Descriptors are slots: numbers that ops assign with `out`.',
      '## System calls',
      table(calls),
      '## Compound operations',
      table(Object.entries(COMPOUND).map(([name, what]) => row(name, what))),
      '## Orders for a running monitor',
      table(Object.entries(ORDERS).map(([name, what]) => row(name, what))),
    ].join('\n\n'),
  };
}
