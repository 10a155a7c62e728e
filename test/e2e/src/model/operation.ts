import fc from 'fast-check';

/** A change that a program can make to a tree. Paths are bytes as latin1, relative to the tree's top. */
export type Operation =
  | { readonly do: 'directory' | 'fifo' | 'remove' | 'removeEmpty'; readonly at: string }
  | { readonly do: 'write' | 'append'; readonly at: string; readonly text: string }
  | { readonly do: 'size'; readonly at: string; readonly bytes: number }
  | { readonly do: 'link' | 'move' | 'copy'; readonly from: string; readonly at: string }
  | { readonly do: 'symlink'; readonly target: string; readonly at: string }
  | { readonly do: 'mode'; readonly at: string; readonly mode: string }
  | { readonly do: 'owner'; readonly at: string; readonly owner: string }
  | { readonly do: 'time'; readonly at: string; readonly seconds: number }
  | { readonly do: 'attribute'; readonly at: string; readonly name: string; readonly value: string | undefined }
  | { readonly do: 'acl'; readonly at: string; readonly change: string };

/** What a tree's owner may do decides which operations there are. */
export interface Rights {
  readonly root: boolean;
  /** Whether setfacl(1) and setfattr(1) are there. */
  readonly attributes: boolean;
}

/** Names that the container and the host both use, and those that only one of them does. */
export const NAMES = { both: ['a', 'b', 'c d', 'e\xff'], container: ['k', 'l'], host: ['x', 'y z'] } as const;

/** Random operations on few names, so that they meet. Devices are missing: a container may not create them, and so cannot copy them. */
export function operations(names: readonly string[], { root, attributes }: Rights, maxLength: number): fc.Arbitrary<Operation[]> {
  const at = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
  const text = fc.constantFrom('', 'one\n', 'two\n', 'a longer text of several words\n', 'no newline', '\r\n');
  // 0555 stands for directories in which their owner may make nothing.
  const mode = fc.constantFrom('644', '600', '755', '700', '555', '444', '2775', '4755', '1777');
  const seconds = fc.constantFrom(1, 1_000_000_000, 1_500_000_000);
  const value = fc.constantFrom('one', 'two', undefined);
  const owner = fc.constantFrom('0:0', '1:2', '65534:65534');
  const acl = fc.constantFrom('-m m::r', '-m u:OWNER:rw', '-b', '-d -m u:OWNER:rwx', '-k');
  const kinds: fc.WeightedArbitrary<Operation>[] = [
    { weight: 4, arbitrary: fc.record({ do: fc.constant('directory'), at }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('write', 'append'), at, text }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('size'), at, bytes: fc.constantFrom(0, 3, 200_000) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('link'), from: at, at }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('symlink'), target: at, at }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('fifo'), at }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('move'), from: at, at }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('copy'), from: at, at }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('remove'), at }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('removeEmpty'), at }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('mode'), at, mode }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('time'), at, seconds }) },
  ];
  if (attributes) {
    kinds.push({ weight: 1, arbitrary: fc.record({ do: fc.constant('attribute'), at, name: fc.constantFrom('user.p', 'user.q'), value }) });
    kinds.push({ weight: 2, arbitrary: fc.record({ do: fc.constant('acl'), at, change: acl }) });
  }
  if (root) {
    kinds.push({ weight: 1, arbitrary: fc.record({ do: fc.constant('owner'), at, owner }) });
  }
  return fc.array(fc.oneof(...kinds), { maxLength });
}

/** The script that makes some changes in its current directory. What cannot be done is left, natively as in a container. */
export function scriptOf(some: readonly Operation[]): Buffer {
  return Buffer.from(`exec 2>/dev/null\n${some.map(lineOf).join('\n')}\nexit 0\n`, 'latin1');
}

function lineOf(operation: Operation): string {
  const at = quoted(operation.at);
  const made = `mkdir -p -- ${quoted(parentOf(operation.at))}`;
  switch (operation.do) {
    case 'directory':
      return `mkdir -p -- ${at}`;
    case 'fifo':
      return `${made}; mkfifo -- ${at}`;
    case 'remove':
      return `rm -rf -- ${at}`;
    case 'removeEmpty':
      return `rmdir -- ${at}`;
    case 'write':
    case 'append':
      // Opening a FIFO for writing would wait for a reader, a link leads somewhere else.
      return `${made}; if test ! -e ${at} || test -f ${at}; then printf %s ${quoted(operation.text)} ${operation.do === 'write' ? '>' : '>>'} ${at}; fi`;
    case 'size':
      return `test -f ${at} && truncate -s ${operation.bytes} -- ${at}`;
    case 'link':
      return `${made}; ln -PT -- ${quoted(operation.from)} ${at}`;
    case 'move':
      // On an overlay mv(1) has to copy a directory, and a copy inherits the set-group-ID bit that a rename does not.
      return `${made}; { test -d ${quoted(operation.from)} && test -g ${quoted(parentOf(operation.at))}; } || mv -fT -- ${quoted(operation.from)} ${at}`;
    case 'copy':
      // How far cp(1) copies a directory into itself depends on the order in which a filesystem tells names.
      if (operation.at.startsWith(`${operation.from}/`)) return ':';
      // Without that flag it would write into a FIFO, and wait for a reader.
      return `${made}; cp -aT --remove-destination -- ${quoted(operation.from)} ${at}`;
    case 'symlink':
      return `${made}; ln -sT -- ${quoted(operation.target)} ${at}`;
    case 'mode':
      // A directory that its owner may not enter could not be looked at.
      return `${/[46]\d\d$/.test(operation.mode) ? `test -d ${at} || ` : ''}chmod ${operation.mode} -- ${at}`;
    case 'owner':
      return `chown -h ${operation.owner} -- ${at}`;
    case 'time':
      return `touch -hcm -d @${operation.seconds} -- ${at}`;
    case 'attribute':
      return operation.value === undefined ? `setfattr -hx ${operation.name} -- ${at}` : `setfattr -hn ${operation.name} -v ${operation.value} -- ${at}`;
    case 'acl':
      return `test -L ${at} || setfacl ${operation.change.replace('OWNER', '$(id -u)')} -- ${at}`;
  }
}

function parentOf(at: string): string {
  return at.includes('/') ? at.slice(0, at.lastIndexOf('/')) : '.';
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
