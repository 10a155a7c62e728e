import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DEFAULT_CAPABILITIES } from '@lamella/namespace';
import { ARCHITECTURES, compileProfile, DEFAULT_PROFILE, evaluate, type SeccompProfile, VERDICTS } from '@lamella/seccomp';
import { CAPABILITIES } from '@lamella/syscall';
import { DOCKER, PODMAN } from './peer-filters.js';

/**
 * The tables in SECURITY.md that compare our default filter with Docker's and podman's, call by call. To write them anew:
 *
 *   node test/conformance/dist/filter-table.js --write
 */
const DOCUMENT = path.join(import.meta.dirname, '../../../SECURITY.md');
const [BEGIN, END] = ['<!-- filter: begin -->', '<!-- filter: end -->'];
const X64 = ARCHITECTURES.x64;
const FILTERS = [DEFAULT_PROFILE, DOCKER, PODMAN] as const;

/** Why ours is another than one of the others, in a phrase, by calls. */
const REASONS: Readonly<Record<string, string>> = {
  cachestat: 'tells what others have in the page cache, as podman',
  'io_pgetevents vmsplice': 'large, seldom used, and holes were found there, as podman',
  'getxattrat listxattrat removexattrat setxattrat': 'other names for what is allowed anyway',
  'file_getattr file_setattr': 'what ioctl(2) does already',
  'listmount statmount': 'the same as /proc/self/mountinfo',
  'map_shadow_stack mseal': "of the process's own memory",
  'uprobe uretprobe': 'the kernel puts it into programs that are probed, which would die',
  'mount mount_setattr move_mount open_tree fsconfig fsmount fsopen fspick pivot_root umount2': 'nothing without CAP_SYS_ADMIN, as Docker',
  'unshare setns clone clone3': 'a user namespace inside is the way to most holes of the kernel, as Docker',
  open_tree_attr: 'with CAP_SYS_ADMIN as mount(2)',
  keyctl: "the kernel's keys know nothing of containers, as Docker",
  'fanotify_init syslog reboot': 'by its capability, as Docker',
  'get_mempolicy mbind set_mempolicy': 'moves memory between nodes that others use, too, as Docker',
  'migrate_pages move_pages': 'with CAP_SYS_NICE as mbind(2)',
  'kexec_file_load kexec_load': 'with CAP_SYS_BOOT as reboot(2)',
  pidfd_getfd: 'takes descriptors of others, as Docker',
  set_mempolicy_home_node: 'with CAP_SYS_NICE as mbind(2), as Docker',
  query_module: 'not in any kernel since 2.6',
  'lsm_get_self_attr lsm_list_modules lsm_set_self_attr': 'as Docker',
};

/** How socket(2) is asked, by the families' names (linux/socket.h). */
const FAMILIES =
  'UNSPEC UNIX INET AX25 IPX APPLETALK NETROM BRIDGE ATMPVC X25 INET6 ROSE DECnet NETBEUI SECURITY KEY NETLINK PACKET ASH ECONET ATMSVC RDS SNA IRDA PPPOX WANPIPE LLC IB MPLS CAN TIPC BLUETOOTH IUCV RXRPC ISDN PHONET IEEE802154 CAIF ALG NFC VSOCK KCM QIPCRTR SMC XDP MCTP'.split(
    ' ',
  );

type Verdicts = readonly [ours: string, docker: string, podman: string];

/** Filters are compiled once for each set of capabilities. */
const compiled = new Map<string, Uint8Array>();

function filterOf(profile: SeccompProfile, capabilities: readonly string[]): Uint8Array {
  const key = `${FILTERS.indexOf(profile as never)} ${capabilities.join()}`;
  const known = compiled.get(key);
  if (known) return known;
  const { filter } = compileProfile(profile, { architecture: 'x64', capabilities, kernel: '6.18' });
  compiled.set(key, filter);
  return filter;
}

function isAllowed(profile: SeccompProfile, name: string, args: readonly bigint[], capabilities: readonly string[] = DEFAULT_CAPABILITIES): boolean {
  const number = X64.numbers.get(name);
  if (number === undefined) throw new RangeError(`there is no system call ${name}`);
  return evaluate(filterOf(profile, capabilities), { number, architecture: X64.audit, args }) === VERDICTS.SCMP_ACT_ALLOW;
}

/** Returns `yes`, `no`, or with which capability. */
function verdict(profile: SeccompProfile, name: string, args: readonly bigint[] = []): string {
  if (isAllowed(profile, name, args)) return 'yes';
  const by = CAPABILITIES.filter((each) => !DEFAULT_CAPABILITIES.includes(each) && isAllowed(profile, name, args, [...DEFAULT_CAPABILITIES, each]));
  return by.length ? by.join(', ') : 'no';
}

const verdicts = (name: string, args?: readonly bigint[]): Verdicts => FILTERS.map((each) => verdict(each, name, args)) as unknown as Verdicts;

/** What is asked by its arguments, and is not among the calls. */
const BY_ARGUMENT = ['socket', 'personality', 'clone'];

/** Returns every call with what the three say of it. */
export function compareCalls(): { readonly name: string; readonly verdicts: Verdicts; readonly reason: string | undefined }[] {
  return [...X64.numbers.keys()]
    .filter((name) => !BY_ARGUMENT.includes(name))
    .sort()
    .map((name) => ({ name, verdicts: verdicts(name), reason: reasonOf(name) }));
}

function reasonOf(name: string): string | undefined {
  return Object.entries(REASONS).find(([names]) => names.split(' ').includes(name))?.[1];
}

/** Returns calls by their arguments, with what the three say. */
export function compareArguments(): { readonly asked: string; readonly verdicts: Verdicts }[] {
  const family = (i: number): bigint[] => [BigInt(i), 1n, 0n];
  return [
    ...FAMILIES.map((name, i) => ({ asked: `socket(AF_${name})`, verdicts: verdicts('socket', family(i)) })),
    { asked: 'socket of a family after AF_MCTP', verdicts: verdicts('socket', family(46)) },
    { asked: 'socket(AF_ALG + 2³²), the same to the kernel', verdicts: verdicts('socket', [0x100000000n + 38n]) },
    { asked: 'socket(AF_VSOCK + 2³²)', verdicts: verdicts('socket', [0x100000000n + 40n]) },
    { asked: 'socket(AF_NETLINK, NETLINK_AUDIT)', verdicts: verdicts('socket', [16n, 3n, 9n]) },
    {
      asked: 'socket(AF_NETLINK, NETLINK_AUDIT), without CAP_AUDIT_WRITE',
      verdicts: FILTERS.map((each) =>
        isAllowed(
          each,
          'socket',
          [16n, 3n, 9n],
          DEFAULT_CAPABILITIES.filter((name) => name !== 'AUDIT_WRITE'),
        )
          ? 'yes'
          : 'no',
      ) as unknown as Verdicts,
    },
    { asked: 'personality(PER_LINUX, PER_LINUX32, UNAME26, what is it)', verdicts: verdicts('personality', [0n]) },
    { asked: 'personality(ADDR_NO_RANDOMIZE)', verdicts: verdicts('personality', [0x40000n]) },
    { asked: 'clone(SIGCHLD)', verdicts: verdicts('clone', [17n]) },
    { asked: 'clone(CLONE_NEWUSER)', verdicts: verdicts('clone', [0x10000011n]) },
    { asked: 'clone(CLONE_NEWNS)', verdicts: verdicts('clone', [0x20011n]) },
    { asked: 'clone(CLONE_NEWNET)', verdicts: verdicts('clone', [0x40000011n]) },
  ];
}

const isSame = ([ours, docker, podman]: Verdicts): boolean => ours === docker && ours === podman;

/** Returns the part of SECURITY.md that is between the marks. */
export function filterTable(): string {
  const calls = compareCalls();
  const code = (names: readonly string[]): string => names.map((each) => `\`${each}\``).join(' ');
  const rows = new Map<string, { readonly names: string[]; readonly cells: readonly string[] }>();
  const add = (name: string, found: Verdicts, reason: string): void => {
    const key = [...found, reason].join();
    const row = rows.get(key) ?? { names: [], cells: [...found, reason] };
    row.names.push(name);
    rows.set(key, row);
  };
  for (const { name, verdicts: found, reason } of calls.filter((call) => !isSame(call.verdicts))) add(name, found, reason ?? '');
  const same = (verdict: string): string[] => calls.filter((call) => isSame(call.verdicts) && call.verdicts[0] === verdict).map(({ name }) => name);
  const withCapability = [
    ...new Set(calls.filter(({ verdicts: found }) => isSame(found) && found[0].includes('_')).map(({ verdicts: found }) => found[0])),
  ].sort();
  const asked = new Map<string, { readonly names: string[]; readonly cells: Verdicts }>();
  for (const { asked: what, verdicts: found } of compareArguments()) {
    // Families that are treated alike are one row.
    const key = `${what.startsWith('socket(AF_') && !what.includes(',') && !what.includes('+') ? 'families' : what} ${found.join()}`;
    const row = asked.get(key) ?? { names: [], cells: found };
    row.names.push(what);
    asked.set(key, row);
  }
  return [
    'Where all three agree:',
    '',
    `- allowed: ${code(same('yes'))}`,
    ...withCapability.map((capability) => `- with ${named(capability)}: ${code(same(capability))}`),
    `- refused: ${code(same('no'))}`,
    '',
    'Where they do not:',
    '',
    ...table(
      ['calls', 'ours', 'Docker', 'podman', 'why'],
      [...rows.values()].map(({ names, cells }) => [code(names), ...cells.map(named)]),
    ),
    '',
    'By arguments:',
    '',
    ...table(
      ['asked', 'ours', 'Docker', 'podman'],
      [...asked.values()].map(({ names, cells }) => [
        names.length > 1 ? `socket of AF\\_ ${names.map((each) => each.slice(10, -1)).join(' ')}` : (names[0] ?? ''),
        ...cells.map(named),
      ]),
    ),
  ].join('\n');
}

/** `SYS_ADMIN` as capabilities(7) has it. */
function named(cell: string): string {
  return /^[A-Z_, ]+$/.test(cell)
    ? cell
        .split(', ')
        .map((each) => `CAP_${each}`)
        .join(' or ')
    : cell;
}

/** As the formatter of the repository has tables: columns are as wide as their widest cell. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => [...(row[i] ?? '')].length)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - [...cell].length)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)];
}

/** Returns SECURITY.md, and as it has to be. */
export function documents(): { readonly is: string; readonly shall: string } {
  const is = readFileSync(DOCUMENT, 'utf8');
  const [before = '', rest = ''] = is.split(BEGIN);
  const [, after = ''] = rest.split(END);
  return { is, shall: `${before}${BEGIN}\n\n${filterTable()}\n\n${END}${after}` };
}

/** Returns reasons that are given for nothing. */
export function idleReasons(): string[] {
  const needed = new Set(compareCalls().flatMap(({ name, verdicts: found }) => (isSame(found) ? [] : [name])));
  return Object.keys(REASONS).flatMap((names) => names.split(' ').filter((name) => name !== 'clone' && !needed.has(name)));
}

if (process.argv.includes('--write')) writeFileSync(DOCUMENT, documents().shall);
