import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { hasOverlayUppers, until } from '@lamella-test/scratch';
import { describe, expect, test } from 'vitest';
import { CLI } from './cli.js';
import { kindsToRun } from './test-user.js';
import { useUser } from './user-fixture.js';

describe.each(kindsToRun('root', 'an ordinary user'))('containers of %s', (kind) => {
  const user = useUser(kind);

  const { succeeds: lamella, fails: refused } = user;
  const state = (name: string): string => lamella('ps', '-a', '--filter', `name=${name}`, '--format', '{{.State}} {{.Status}}');

  test('many are removed at once', () => {
    const names = Array.from({ length: 12 }, (_, i) => `many-${i}`);
    for (const name of names) lamella('create', '--name', name, 'busybox', 'true');
    expect(
      lamella('rm', ...names)
        .split('\n')
        .toSorted(),
    ).toEqual(names.toSorted());
  });

  test('live on, are seen, written down, and remembered', async () => {
    const id = lamella(
      'run',
      '-d',
      '--name',
      'web',
      '-l',
      'app=shop',
      'busybox',
      'sh',
      '-c',
      'echo out; echo err >&2; while [ ! -e /stop ]; do sleep 0.05; done; exit 3',
    );
    expect(id).toMatch(/^[0-9a-f]{12}$/);
    expect(state('web')).toMatch(/^running Up /);
    expect(lamella('ps', '-q', '--filter', 'label=app=shop')).toBe(id);
    expect(lamella('ps', '-q', '--filter', 'label=app=other')).toBe('');
    const logs = user.lamella(['logs', 'web']);
    expect([logs.stdout, logs.stderr]).toEqual(['out\n', 'err\n']);
    expect(lamella('top', id.slice(0, 5))).toMatch(/sh -c echo out/);
    const [seen] = JSON.parse(lamella('inspect', 'web')) as { State: Record<string, unknown>; Config: { Labels: unknown } }[];
    expect(seen).toMatchObject({ Id: id, Name: 'web', State: { Status: 'running', Running: true, ExitCode: 0 }, Config: { Labels: { app: 'shop' } } });
    expect(readFileSync(`/proc/${String(seen?.State.Pid)}/cmdline`, 'utf8')).toMatch(/^sh\0-c\0/);
    lamella('exec', 'web', 'touch', '/stop');
    expect(lamella('wait', 'web')).toBe('3');
    expect(state('web')).toMatch(/^exited Exited \(3\)/);
    expect(lamella('ps', '-q')).toBe('');
    expect(lamella('ps', '-aq', '--filter', 'exited=3')).toBe(id);
    // What it changed is there in its next life.
    lamella('start', 'web');
    expect(lamella('wait', 'web')).toBe('3');
    expect(user.lamella(['logs', 'web']).stdout).toBe('out\nout\n');
    expect(user.lamella(['logs', '--tail', '2', '-t', 'web']).stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z out\n$/);
    expect(lamella('rm', 'web')).toBe('web');
    expect(refused('logs', 'web')).toMatch(/there is no container 'web'\n {2}List all containers: lamella ps -a/);
  });

  test('are stopped, killed, and started again', async () => {
    lamella('run', '-d', '--name', 'polite', 'busybox', 'sh', '-c', "trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.05; done");
    await until(() => user.lamella(['logs', 'polite']).stdout === 'ready\n');
    expect(lamella('stop', 'polite')).toBe('polite');
    expect(state('polite')).toMatch(/^exited Exited \(9\)/);
    expect(lamella('stop', 'polite')).toBe('polite');
    expect(lamella('logs', 'polite')).toBe('ready\nbye');
    lamella('run', '-d', '--name', 'deaf', 'busybox', 'sleep', '1000');
    expect(refused('rm', 'deaf')).toMatch(/cannot remove the container deaf: it is running\n {2}Stop it first, or remove it by force: lamella rm -f deaf/);
    // As with Docker this succeeds.
    expect(lamella('start', 'deaf')).toBe('deaf');
    lamella('stop', '-t', '0', 'deaf');
    expect(state('deaf')).toMatch(/^exited Exited \(137\)/);
    lamella('restart', 'deaf');
    expect(state('deaf')).toMatch(/^running/);
    lamella('kill', '-s', 'KILL', 'deaf');
    await until(() => state('deaf').startsWith('exited'));
    expect(refused('kill', 'deaf')).toMatch(/not running\n {2}Start it: lamella start/);
    expect(refused('kill', '-s', 'NOSUCH', 'polite')).toMatch(/there is no signal 'NOSUCH'/);
  });

  test('exec lands among its processes, with no more rights', () => {
    lamella('run', '-d', '--name', 'host', '-e', 'A=container', '-w', '/tmp', '--hostname', 'inside', 'busybox', 'sleep', '1000');
    expect(lamella('exec', 'host', 'sh', '-c', 'hostname; pwd; echo $A; cat /proc/1/comm; id -u')).toBe('inside\n/tmp\ncontainer\nsleep\n0');
    expect(lamella('exec', '-e', 'A=mine', '-w', '/etc', 'host', 'sh', '-c', 'pwd; echo $A')).toBe('/etc\nmine');
    const status = ['grep', '-E', '^(Cap(Eff|Bnd)|NoNewPrivs|Seccomp):', '/proc/self/status'];
    expect(lamella('exec', 'host', ...status)).toBe(lamella('exec', 'host', ...status.slice(0, -1), '/proc/1/status'));
    expect(lamella('exec', 'host', 'sh', '-c', 'ls /proc/self/fd')).toBe('0\n1\n2\n3');
    const namespaces = (pid: string): string =>
      lamella('exec', 'host', 'sh', '-c', `for each in pid net mnt cgroup uts ipc user; do readlink /proc/${pid}/ns/$each; done`);
    expect(namespaces('self')).toBe(namespaces('1'));
    expect(user.lamella(['exec', 'host', 'sh', '-c', 'exit 5']).status).toBe(5);
    expect(user.lamella(['exec', 'host', 'nosuch']).status).toBe(127);
    expect(refused('exec', '-w', '/no/such', 'host', 'true')).toMatch(/the directory \/no\/such cannot be entered in the container: ENOENT/);
    // A directory of the host's that this process may have open does not lead out (CVE-2024-21626).
    for (let fd = 3; fd < 12; fd++) expect(refused('exec', '-w', `/proc/self/fd/${fd}`, 'host', 'true')).toMatch(/cannot be entered/);
    expect(refused('exec', '-u', 'nosuch', 'host', 'true')).toMatch(/no user 'nosuch'/);
    lamella('exec', '-d', 'host', 'sh', '-c', 'sleep 0.1; echo later > /tmp/later');
    expect(lamella('exec', 'host', 'sh', '-c', 'while [ ! -s /tmp/later ]; do sleep 0.02; done; cat /tmp/later')).toBe('later');
    expect(JSON.parse(lamella('exec', '--json', 'host', 'echo', 'x'))).toMatchObject({ exitCode: 0, stdout: 'x' });
  });

  test('are made first and started later, attached to and typed at', () => {
    const id = lamella('create', '--name', 'later', '-i', 'busybox', 'sh', '-c', 'cat; echo end >&2; exit 4');
    expect(state('later')).toBe('created Created');
    expect(refused('exec', 'later', 'true')).toMatch(/is not running/);
    const attached = user.run('sh', ['-c', 'printf "one\\ntwo" | "$@"', 'sh', process.execPath, CLI, 'start', '-ai', 'later']);
    expect(attached).toEqual({ status: 4, stdout: 'one\ntwo', stderr: 'end\n' });
    expect(lamella('wait', id)).toBe('4');
  });

  test('have one name each, which may change', () => {
    lamella('create', '--name', 'first', 'busybox', 'true');
    expect(refused('create', '--name', 'first', 'busybox', 'true')).toMatch(/there is a container 'first' already\n {2}.*lamella rm first/);
    lamella('rename', 'first', 'second');
    expect(lamella('ps', '-a', '--format', '{{.Names}}')).toBe('second');
    lamella('create', '--name', 'first', 'busybox', 'true');
    expect(refused('rename', 'second', 'first')).toMatch(/there is a container 'first' already/);
    expect(refused('rename', 'second', '../x')).toMatch(/cannot be the name/);
    lamella('rm', 'second', 'first');
    expect(refused('rm', 'second')).toMatch(/there is no container/);
    lamella('rm', '-f', 'second');
  });

  test('a command that cannot be executed leaves none; --rm none at its end', async () => {
    expect(user.lamella(['run', '-d', 'busybox', 'nosuch'])).toMatchObject({ status: 127, stdout: '' });
    lamella('run', '-d', '--rm', '--name', 'short', 'busybox', 'sh', '-c', 'until [ -e /end ]; do sleep 0.05; done');
    expect(state('short')).toMatch(/^running/);
    lamella('exec', 'short', 'touch', '/end');
    await until(() => lamella('ps', '-aq') === '');
    lamella('create', '--rm', '--name', 'once', 'busybox', 'true');
    expect(state('once')).toBe('created Created');
    lamella('start', 'once');
    await until(() => lamella('ps', '-aq') === '');
    expect(refused('run', '-d', '--rm', '--restart', 'always', 'busybox', 'true')).toMatch(/--rm or --restart, not both/);
  });

  test('whose output somebody has in front of them have no log, and cannot be attached to', () => {
    const { stdout } = user.lamella(['run', '--keep', '--name', 'front', 'busybox', 'echo', 'seen']);
    expect(stdout).toBe('seen\n');
    expect(user.lamella(['logs', 'front'])).toMatchObject({ status: 0, stdout: '', stderr: expect.stringMatching(/front has no log/) });
    lamella('start', 'front');
    lamella('wait', 'front');
    expect(lamella('logs', 'front')).toBe('seen');
    expect(refused('attach', 'front')).toMatch(/is not running/);
  });

  test('whose monitor is killed are dead, and nothing of them runs', async () => {
    lamella('run', '-d', '--name', 'orphan', 'busybox', 'sleep', '1000');
    const [pid, monitor] = lamella('inspect', '-f', '{{.State.Pid}} {{.State.MonitorPid}}', 'orphan').split(' ').map(Number);
    process.kill(monitor ?? -1, 'SIGKILL');
    await until(() => !existsSync(`/proc/${pid}`));
    expect(state('orphan')).toBe('dead Dead (monitor killed)');
    expect(lamella('wait', 'orphan')).toBe('137');
    lamella('start', 'orphan');
    expect(state('orphan')).toMatch(/^running/);
  });

  test('are started again by their monitors', async () => {
    lamella('run', '-d', '--name', 'again', '--restart', 'on-failure:2', 'busybox', 'sh', '-c', 'echo life; exit 1');
    await until(() => state('again').startsWith('exited'));
    expect(lamella('logs', 'again')).toBe('life\nlife\nlife');
    expect(lamella('inspect', '-f', '{{.RestartCount}}', 'again')).toBe('2');
  });

  test('follow logs until the end, and tell events', async () => {
    lamella(
      'run',
      '-d',
      '--name',
      'chatty',
      '--log-opt',
      'max-size=4k',
      '--log-opt',
      'max-file=9',
      'busybox',
      'sh',
      '-c',
      'for i in $(seq 300); do echo "line $i"; done; sleep 0.3; echo last',
    );
    const followed = user.lamella(['logs', '-f', 'chatty']);
    expect(followed.stdout).toBe(`${Array.from({ length: 300 }, (_, i) => `line ${i + 1}\n`).join('')}last\n`);
    lamella('rm', 'chatty');
    const events = lamella('events', '--since', '1m', '--until', '0s', '--filter', 'container=chatty').split('\n');
    expect(events.map((line) => line.split(' ')[2])).toEqual(['create', 'start', 'die', 'destroy']);
    // The same events come for containers that leave nothing, and none for a command that cannot start.
    lamella('run', '--name', 'told-front', 'busybox', 'true');
    lamella('run', '-d', '--rm', '--name', 'told-gone', 'busybox', 'true');
    lamella('create', '--rm', '--name', 'told-made', 'busybox', 'true');
    lamella('start', '-a', 'told-made');
    expect(user.lamella(['run', '--name', 'told-missing', 'busybox', 'missing']).status).toBe(127);
    const told = (name: string): string[] =>
      lamella('events', '--since', '1m', '--until', '0s', '--filter', `container=${name}`, '--format', '{{.Action}}').split('\n').filter(Boolean);
    expect.soft(told('told-front')).toEqual(['create', 'start', 'die', 'destroy']);
    expect.soft(told('told-made')).toEqual(['create', 'start', 'die', 'destroy']);
    expect.soft(told('told-missing')).toEqual([]);
    await until(() => told('told-gone').length === 4);
    expect(told('told-gone')).toEqual(['create', 'start', 'die', 'destroy']);
  });

  test('files are copied in and out, whether it runs or not', () => {
    // Such a name is a mark of fuse-overlayfs.
    const odd = hasOverlayUppers() ? '.wh.odd' : 'odd';
    const made = user.run('sh', [
      '-c',
      `mkdir -p ${user.home}/tree/sub && cd ${user.home}/tree && echo one > one && ln one sub/hard && ln -s one link && echo .wh. > ${odd} && printf 'x' > "sub/na\nme" && touch -d '2001-02-03 04:05:06.789' one && chmod 751 sub`,
    ]);
    expect(made.status).toBe(0);
    lamella('run', '-d', '--name', 'copies', 'busybox', 'sleep', '1000');
    const roundTrip = (into: string): void => {
      lamella('cp', `${user.home}/tree`, `copies:${into}`);
      lamella('cp', `copies:${into}`, `${user.home}/back`);
      const seen = (directory: string): string =>
        user.run('sh', ['-c', `cd ${directory} && find . -printf '%P %M %T@ %l %n\n' | sort && cat one sub/*`]).stdout;
      expect(seen(`${user.home}/back`)).toBe(seen(`${user.home}/tree`));
      user.run('rm', ['-r', `${user.home}/back`]);
    };
    roundTrip('/fresh');
    expect(lamella('exec', 'copies', 'stat', '-c', '%u:%g %h', '/fresh/one')).toBe('0:0 2');
    lamella('cp', `${user.home}/tree/.`, 'copies:/tmp');
    expect(lamella('exec', 'copies', 'cat', '/tmp/sub/hard')).toBe('one');
    expect(refused('cp', 'copies:/no/such', user.home)).toMatch(/no such file or directory in the container: \/no\/such/);
    expect(refused('cp', `${user.home}/tree`, 'copies:/etc/passwd')).toMatch(/is not a directory/);
    expect(refused('cp', `${user.home}/tree/one`, 'copies:/etc/nosuch/')).toMatch(/is not a directory/);
    lamella('exec', 'copies', 'mkdir', '-p', '/precious/one/deep');
    expect(refused('cp', `${user.home}/tree/one`, 'copies:/precious')).toMatch(/'one' cannot be copied: a directory is where it is to be/);
    expect(lamella('exec', 'copies', 'ls', '/precious/one')).toBe('deep');
    lamella('stop', '-t', '0', 'copies');
    // fuse-overlayfs counts the names of a file that it has looked up, and a walk looks them up one by one.
    if (hasOverlayUppers()) roundTrip('/later');
    else lamella('cp', `${user.home}/tree`, 'copies:/later');
    expect(user.run('sh', ['-c', `"$@" | tar t`, 'sh', process.execPath, CLI, 'cp', 'copies:/later/sub', '-']).stdout.split('\n')).toContain('sub/hard');
    lamella('start', 'copies');
    expect(lamella('exec', 'copies', 'cat', '/later/one')).toBe('one');
  });

  test('whoever exchanges directories for links meanwhile leads a copy nowhere (CVE-2018-15664)', () => {
    const trap = `${user.home}/trap`;
    user.run('sh', ['-c', `mkdir -p ${trap} && echo secret > ${trap}/file && echo mine > ${user.home}/mine`]);
    // The path is the host's; in the container it is a directory that becomes a link to itself on the host.
    const script = `mkdir -p ${trap} /a; echo public > ${trap}/file; echo public > /a/file; while :; do mv /a /b; ln -s ${trap} /a; rm /a; mv /b /a; sleep 0.01; done`;
    lamella('run', '-d', '--name', 'cheat', 'busybox', 'sh', '-c', script);
    let copies = 0;
    // It is a race: what counts are the copies that were made in the middle of it.
    for (let i = 0; i < 40 && copies < 2; i++) {
      const { stdout, stderr } = user.run('sh', ['-c', '"$@" | tar xO', 'sh', process.execPath, CLI, 'cp', 'cheat:/a/file', '-']);
      expect(stdout).not.toContain('secret');
      if (!stderr) expect(stdout).toBe('public\n');
      if (stdout === 'public\n') copies++;
      user.lamella(['cp', `${user.home}/mine`, 'cheat:/a/new']);
    }
    expect(copies).toBe(2);
    expect(readdirSync(trap)).toEqual(['file']);
    expect(readFileSync(`${trap}/file`, 'utf8')).toBe('secret\n');
  });

  test('an image is not removed while there is a container of it', () => {
    lamella('create', '--name', 'holder', 'busybox', 'true');
    expect(refused('rmi', 'busybox')).toMatch(/the container [0-9a-f]{12} was made of 'busybox:latest'\n {2}Remove it first: lamella rm/);
    lamella('image', 'prune');
    lamella('start', 'holder');
    expect(lamella('wait', 'holder')).toBe('0');
  });
});
