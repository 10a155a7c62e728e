import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { hasOverlayUppers, requiresOverlayUppers, requiresProgram } from '@lamella-test/scratch';
import { beforeEach, describe, expect, test } from 'vitest';
import { fails } from './test-user.js';
import { useUser } from './user-fixture.js';

const MAP = "awk '{ print $1, $2, $3 }' /proc/self/uid_map";

describe('root gives a container ids of its own', () => {
  const user = useUser('root');
  const { succeeds: lamella } = user;
  const upper = (name: string): string => JSON.parse(lamella('inspect', name))[0].Upper;

  test('each others, and its files look the same', () => {
    const first = lamella('run', '--userns', 'auto', 'busybox', 'sh', '-c', `${MAP}; id -u; stat -c %u:%g / /etc /bin/busybox /dev /tmp`);
    const [map, ...rest] = first.split('\n');
    expect(map).toMatch(/^0 \d{6,} 65536$/);
    expect(rest).toEqual(['0', '0:0', '0:0', '0:0', '0:0', '0:0']);
    expect(lamella('run', '--userns', 'auto', 'busybox', 'sh', '-c', MAP)).not.toBe(map);
    expect(lamella('run', '--userns', 'auto:size=70000', 'busybox', 'sh', '-c', MAP)).toMatch(/ 70000$/);
    // All of a range that is larger is nobody else's.
    lamella('create', '--name', 'large', '--userns', 'auto:size=200000', 'busybox', 'true');
    expect(readdirSync(`${user.store}/containers/.names`).filter((name) => name.startsWith('@'))).toHaveLength(4);
    lamella('rm', 'large');
    expect(lamella('run', '--userns', 'host', 'busybox', 'sh', '-c', MAP)).toBe('0 0 4294967295');
    expect(lamella('run', '--userns', '700000:800000:1000', 'busybox', 'sh', '-c', `${MAP}; cat /proc/self/gid_map | tr -s ' '`)).toBe(
      '0 700000 1000\n 0 800000 1000',
    );
    // Their ranges are free again.
    expect(readdirSync(`${user.store}/containers/.names`).filter((name) => name.startsWith('@'))).toEqual([]);
  });

  test('what it writes is kept as any other writes it', () => {
    lamella('run', '-d', '--name', 'own', '--userns', 'auto', 'busybox', 'sh', '-c', 'touch /a; chown 7:8 /a; rm -r /home; exec sleep 1000');
    const [{ IDMappings: maps, UsernsMode: mode }] = [JSON.parse(lamella('inspect', 'own'))[0].HostConfig];
    expect(mode).toBe('auto');
    expect(maps.UidMap).toEqual([expect.stringMatching(/^0:\d+:65536$/)]);
    expect(lamella('exec', 'own', 'sh', '-c', `${MAP}; touch /b; stat -c %u:%g /a /b`)).toBe(`${maps.UidMap[0].replaceAll(':', ' ')}\n7:8\n0:0`);
    expect(lamella('exec', '-u', '1000:1000', 'own', 'id', '-u')).toBe('1000');
    writeFileSync(user.at.join('text'), 'text\n');
    chownSync(user.at.join('text'), 5, 6);
    lamella('cp', user.at.join('text'), 'own:/copied');
    lamella('cp', '-a', user.at.join('text'), 'own:/kept');
    expect(lamella('exec', 'own', 'stat', '-c', '%u:%g', '/copied', '/kept')).toBe('0:0\n5:6');
    lamella('stop', '-t', '0', 'own');
    const { uid, gid } = statSync(`${upper('own')}/a`);
    expect([uid, gid]).toEqual([7, 8]);
    expect(lamella('changes', 'own').split('\n').slice(0, 5)).toEqual(['A /a  0 B', 'A /b  0 B', 'A /copied  5 B', 'D /home/', 'A /kept  5 B']);
    // The same ids after a restart, other ids for its fork.
    lamella('start', 'own');
    expect(lamella('exec', 'own', 'sh', '-c', MAP)).toBe(maps.UidMap[0].replaceAll(':', ' '));
    lamella('stop', '-t', '0', 'own');
    lamella('fork', 'own', 'other');
    lamella('start', 'other');
    expect(lamella('exec', 'other', 'sh', '-c', MAP)).not.toBe(maps.UidMap[0].replaceAll(':', ' '));
    expect(lamella('exec', 'other', 'stat', '-c', '%u', '/kept')).toBe('5');
  });

  test('is started again by its monitor with them', () => {
    lamella('run', '-d', '--name', 'again', '--userns', 'auto', '--restart', 'on-failure:2', 'busybox', 'sh', '-c', `${MAP}; exit 1`);
    lamella('wait', 'again');
    const lines = lamella('logs', 'again').split('\n');
    expect(lines).toHaveLength(3);
    expect(new Set(lines).size).toBe(1);
  });

  test('directories of the host are nobody’s, unless they are mapped, too', (context) => {
    requiresOverlayUppers(context);
    const directory = user.at.join('volume');
    mkdirSync(`${directory}/sub`, { recursive: true });
    writeFileSync(`${directory}/file`, '');
    const run = (option: string, script: string): string => lamella('run', '--userns', 'auto', '-v', `${directory}:/v${option}`, 'busybox', 'sh', '-c', script);
    expect(run('', 'stat -c %u /v/file; touch /v/x 2>/dev/null || echo refused')).toBe('65534\nrefused');
    expect(run(':idmap', 'stat -c %u /v/file; touch /v/x; chown 33 /v/x')).toBe('0');
    expect(statSync(`${directory}/x`).uid).toBe(33);
    lamella('create', '--name', 'view', '--userns', 'auto', '-v', `${directory}:/v:overlay`, 'busybox', 'sh', '-c', 'rm /v/file; touch /v/y');
    lamella('start', '-a', 'view');
    expect(readdirSync(directory).sort()).toEqual(['file', 'sub', 'x']);
    lamella('apply', 'view');
    expect(readdirSync(directory).sort()).toEqual(['sub', 'x', 'y']);
    expect(statSync(`${directory}/y`).uid).toBe(0);
  });

  test('has a network, a terminal and limits in it', () => {
    expect(lamella('run', '--userns', 'auto', 'busybox', 'ping', '-c', '1', '127.0.0.1')).toContain('1 packets received');
    expect(lamella('run', '--userns', 'auto', '-t', 'busybox', 'sh', '-c', 'tty; stat -c %u:%g /dev/pts/0').trim()).toBe('/dev/pts/0\r\n0:5');
    expect(lamella('run', '--userns', 'auto', '--ulimit', 'nofile=100:200', 'busybox', 'sh', '-c', 'ulimit -n')).toBe('100');
    expect(lamella('run', '--userns', 'auto', '--network', 'host', '--privileged', 'busybox', 'sh', '-c', 'id -u; mount -t tmpfs x /tmp')).toBe('0');
    expect(lamella('run', '--userns', 'auto', '--read-only', '--tmpfs', '/run', 'busybox', 'sh', '-c', 'touch /run/x; touch /y 2>&1; true')).toContain(
      'Read-only',
    );
  });

  test('whoever runs can open /dev/stderr', () => {
    for (const [name, ...flags] of [
      ['plain', '-u', '1000'],
      ['mapped', '--userns', 'auto'],
      ['both', '--userns', 'auto', '-u', '1000:1000'],
    ] as const) {
      lamella('run', '-d', '--name', name, ...flags, 'busybox', 'sh', '-c', 'echo to stderr >/dev/stderr; echo to stdout >/dev/stdout');
      lamella('wait', name);
      const { stdout, stderr } = user.lamella(['logs', name]);
      expect([name, stdout, stderr]).toEqual([name, 'to stdout\n', 'to stderr\n']);
    }
  });

  test('by fuse-overlayfs on a filesystem that maps none', (context) => {
    requiresOverlayUppers(context);
    requiresProgram(context, 'fuse-overlayfs');
    const place = user.at.join('ramfs');
    mkdirSync(place);
    execFileSync('mount', ['-t', 'ramfs', 'ramfs', place]);
    using _unmounted = { [Symbol.dispose]: () => execFileSync('umount', [place]) };
    lamella('import', '--root', place, user.at.join('busybox.tar'), 'busybox');
    const script = `${MAP}; stat -c %u / /bin; touch /x; chown 7 /x; rm -rf /home; stat -c %u /x`;
    lamella('create', '--root', place, '--name', 'own', '--userns', 'auto', 'busybox', 'sh', '-c', script);
    expect(lamella('start', '--root', place, '-a', 'own')).toMatch(/^0 \d{6,} 65536\n0\n0\n7$/);
    expect(lamella('changes', '--root', place, 'own')).toBe('D /home/\nA /x  0 B\n1 added, 1 deleted');
    // A twin stands on what was written so.
    lamella('fork', '--root', place, 'own', 'twin');
    lamella('start', '--root', place, '-a', 'twin');
    lamella('rm', '--root', place, 'own', 'twin');
    expect(lamella('run', '--root', place, 'busybox', 'echo', 'works')).toBe('works');
    const found = (...flags: string[]): unknown =>
      JSON.parse(user.lamella(['doctor', '--json', ...flags]).stdout).find(({ subject }: { subject: string }) => subject === 'mapped ids');
    expect(found('--root', place)).toMatchObject({ state: 'ok', detail: 'run --userns auto, by fuse-overlayfs' });
    expect(JSON.parse(lamella('doctor', '--json'))).toContainEqual({ subject: 'mapped ids', state: 'ok', detail: 'run --userns auto' });
  });

  test('what cannot be is told', () => {
    expect(fails(user, ['run', '--userns', 'keep-id', 'busybox', 'true'])).toContain('root has no id of its own to keep');
    expect(fails(user, ['run', '--userns', '0:0:10', 'busybox', 'true'])).toContain('there are no 10 ids from 0 on');
    expect(fails(user, ['run', '--userns', 'auto:size=0', 'busybox', 'true'])).toContain('0 is not a number of ids');
    expect(fails(user, ['run', '--userns', '1:2', 'busybox', 'true'])).toContain("invalid user namespace '1:2'");
    expect(fails(user, ['run', '--userns', 'auto', '-v', '/:/host:overlay', 'busybox', 'true'])).toContain('the host root cannot be mapped');
    expect(fails(user, ['run', '--userns', 'auto', '-v', '/proc:/host:idmap', 'busybox', 'true'])).toContain('cannot be seen with other ids: EINVAL');
  });
});

describe.each(['an ordinary user', 'an ordinary user with ids in /etc/subuid'] as const)('%s keeps its id', (kind) => {
  const user = useUser(kind);
  const { succeeds: lamella } = user;

  test('inside, and runs as itself', (context) => {
    if (kind === 'an ordinary user') requiresOverlayUppers(context);
    mkdirSync(`${user.home}/project`);
    chownSync(`${user.home}/project`, user.uid, user.uid);
    const { uid } = user;
    expect(
      lamella(
        'run',
        '--userns',
        'keep-id',
        '-v',
        `${user.home}/project:/work`,
        'busybox',
        'sh',
        '-c',
        'id -u; stat -c %u /work; touch /work/made; stat -c %u /work/made; grep CapEff /proc/self/status',
      ),
    ).toBe(`${uid}\n${uid}\n${uid}\nCapEff:\t0000000000000000`);
    expect(statSync(`${user.home}/project/made`).uid).toBe(uid);
    expect(lamella('run', 'busybox', 'id', '-u')).toBe('0');
    lamella('run', '-d', '--name', 'mine', '--userns', 'keep-id', 'busybox', 'sh', '-c', 'touch /tmp/mine; exec sleep 1000');
    expect(lamella('exec', 'mine', 'sh', '-c', 'id -u; touch /tmp/more; stat -c %u /tmp/mine /tmp/more')).toBe(`${uid}\n${uid}\n${uid}`);
    expect(lamella('cp', 'mine:/tmp/mine', `${user.home}/copied`)).toBe('');
    expect(statSync(`${user.home}/copied`).uid).toBe(uid);
    lamella('stop', '-t', '0', 'mine');
    expect(lamella('changes', 'mine')).toContain('A /tmp/mine');
  });

  test('and cannot have others that it was not given', () => {
    const modes = kind === 'an ordinary user' ? ['auto', '1000:1000:10'] : ['1000:1000:10', '300000:300000:70000', 'auto:size=70000', 'auto:size=0'];
    const reasons = { auto: /ids of its own only of those that \/etc\/subuid.*usermod --add-subuids/s };
    const told =
      kind === 'an ordinary user'
        ? [reasons.auto, reasons.auto]
        : [/not yours in one piece/, /not yours in one piece/, /no 70000 ids are left/, /0 is not a number/];
    for (const [i, mode] of modes.entries()) expect(fails(user, ['run', '--userns', mode, 'busybox', 'true'])).toMatch(told[i] ?? '');
  });
});

describe('an ordinary user gives a container some of its ids in /etc/subuid', () => {
  const user = useUser('an ordinary user with ids in /etc/subuid');
  const { succeeds: lamella } = user;

  beforeEach((context) => {
    requiresProgram(context, 'fuse-overlayfs');
  });

  test('each others, and its files look the same', () => {
    const run = (mode: string): string[] =>
      lamella('run', '--userns', mode, 'busybox', 'sh', '-c', `${MAP}; id -u; stat -c %u:%g / /etc /bin/busybox`).split('\n');
    const [map, ...rest] = run('auto');
    expect([map, ...rest]).toEqual([expect.stringMatching(/^0 \d{4,5} 4096$/), '0', '0:0', '0:0', '0:0']);
    lamella('create', '--name', 'other', '--userns', 'auto:size=9000', 'busybox', 'sh', '-c', MAP);
    expect(readdirSync(`${user.store}/containers/.names`).filter((name) => name.startsWith('@'))).toHaveLength(9);
    expect(lamella('start', '-a', 'other')).toMatch(/^0 \d+ 9000$/);
    lamella('rm', 'other');
    // Ids of the host, as they are called in the namespace of this user's.
    expect(run('300100:300200:1000')[0]).toBe('0 101 1000');
    expect(readdirSync(`${user.store}/containers/.names`).filter((name) => name.startsWith('@'))).toEqual([]);
  });

  test('what it writes is kept as any other writes it', () => {
    const script = 'touch /x; chown 7:8 /x; rm -r /home; mkdir -p /home/new; rm /bin/vi; echo more >> /etc/passwd; exec sleep 1000';
    lamella('run', '-d', '--name', 'own', '--userns', 'auto', 'busybox', 'sh', '-c', script);
    expect(lamella('exec', 'own', 'sh', '-c', 'while [ -e /bin/vi ]; do sleep 0.01; done; id -u; stat -c %u:%g /x')).toBe('0\n7:8');
    writeFileSync(user.at.join('text'), 'text\n', { mode: 0o644 });
    lamella('cp', user.at.join('text'), 'own:/copied');
    expect(lamella('exec', 'own', 'stat', '-c', '%u:%g', '/copied')).toBe('0:0');
    expect(fails(user, ['checkpoint', 'own'])).toMatch(/cannot be exchanged while the container runs; stop it first/);
    lamella('stop', '-t', '0', 'own');
    expect(statSync(`${user.store}/containers/${JSON.parse(lamella('inspect', 'own'))[0].Id}/upper/x`).uid).toBe(300_006);
    expect(lamella('changes', 'own').split('\n').slice(0, -1)).toEqual([
      'D /bin/vi -> busybox',
      'A /copied  5 B',
      expect.stringMatching(/^M \/etc\/passwd/),
      'A /home/new/',
      'A /x  0 B',
    ]);
    expect(lamella('changes', '--patch', 'own', '/etc/passwd')).toContain('+more');
    lamella('checkpoint', 'own');
    lamella('fork', 'own', 'twin');
    lamella('start', 'twin');
    expect(lamella('exec', 'twin', 'sh', '-c', 'stat -c %u:%g /x; ls -A /home; cat /copied')).toBe('7:8\nnew\ntext');
    lamella('commit', 'own', 'committed');
    // Without a user namespace the kernel joins the same layers, where it can.
    const joiner = hasOverlayUppers() ? 'overlay' : 'fuse-overlayfs';
    expect(lamella('run', 'committed', 'sh', '-c', `stat -c %u:%g /x; ls -A /home; ls /bin/vi 2>&1; grep -c "^${joiner} / " /proc/mounts`)).toBe(
      '7:8\nnew\nls: /bin/vi: No such file or directory\n1',
    );
  });

  test('with directories of the host, and what cannot be is told', () => {
    mkdirSync(`${user.home}/shared`);
    chownSync(`${user.home}/shared`, user.uid, user.uid);
    const script = 'touch /v/made; stat -c %u /v /v/made';
    expect(lamella('run', '--userns', 'auto', '-v', `${user.home}/shared:/v:overlay`, 'busybox', 'sh', '-c', script)).toBe('0\n0');
    expect(readdirSync(`${user.home}/shared`)).toEqual([]);
    expect(lamella('run', '--userns', 'auto', '-v', `${user.home}/shared:/v`, 'busybox', 'sh', '-c', 'stat -c %u /v; touch /v/x 2>&1; true')).toMatch(
      /^65534\n.*denied/,
    );
    expect(fails(user, ['run', '--userns', 'auto', '-v', `${user.home}/shared:/v:idmap`, 'busybox', 'true'])).toMatch(
      /cannot be seen with other ids: (?:EPERM|EINVAL)/,
    );
    expect(fails(user, ['run', '--userns', 'auto', '-u', '65534', 'busybox', 'true'])).toMatch(/the user 65534:65534 is outside.*size=65536/s);
  });

  test('doctor tries that', () => {
    const found = (): unknown =>
      JSON.parse(user.lamella(['doctor', '--json']).stdout).filter(({ subject }: { subject: string }) => subject === 'fuse' || subject === 'mapped ids');
    expect(found()).toEqual([
      { subject: 'fuse', state: 'ok', detail: expect.stringContaining('/fuse-overlayfs') },
      { subject: 'mapped ids', state: 'ok', detail: 'run --userns auto, by fuse-overlayfs' },
    ]);
  });
});
