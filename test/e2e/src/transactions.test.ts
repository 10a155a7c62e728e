import { chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { requiresOverlayUppers } from '@lamella-test/scratch';
import { beforeEach, describe, expect, test } from 'vitest';
import { CLI } from './cli.js';
import { kindsToRun } from './test-user.js';
import { useUser } from './user-fixture.js';

describe.each(kindsToRun('root', 'an ordinary user with ids in /etc/subuid'))('what a container of %s changed', (kind) => {
  const user = useUser(kind);
  let project: string;

  const { succeeds: lamella, fails: refused } = user;
  const own = (file: string): void => chownSync(file, user.uid, user.uid);
  const write = (name: string, content: string): void => {
    writeFileSync(path.join(project, name), content);
    own(path.join(project, name));
  };

  beforeEach(() => {
    project = `${user.home}/project`;
    rmSync(project, { recursive: true, force: true });
    mkdirSync(`${project}/src`, { recursive: true });
    own(project);
    own(`${project}/src`);
    write('README', 'one\n');
    write('src/a', 'a\n');
  });

  test('is seen, as text, as JSON and as a patch', () => {
    lamella('create', '--name', 'one', 'busybox');
    lamella('run', '--on', 'one', 'sh', '-c', 'mkdir -p /new/dir; echo 1 > /new/file; rm -r /home; echo more >> /etc/passwd; chmod 600 /etc/group');
    expect(lamella('changes', 'one').split('\n')).toEqual([
      expect.stringMatching(/^M \/etc\/group {2}mode 644 -> 600/),
      expect.stringMatching(/^M \/etc\/passwd {2}\d+ B -> \d+ B$/),
      'D /home/',
      'A /new/  with 2 entries, 2 B',
      '3 added, 2 modified, 1 deleted (+7 B)',
    ]);
    const lines = lamella('diff', '--json', 'one')
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; path: string });
    expect(lines.filter(({ kind: what }) => what === 'deleted')).toMatchObject([{ kind: 'deleted', path: '/home', type: 'directory' }]);
    expect(lamella('changes', 'one', '--patch', '/etc/passwd')).toContain('+more');
    expect(lamella('changes', 'one', '--stat', '/new/**')).toBe('2 added (+2 B)');
  });

  test('is applied to a directory of the host, and taken back', () => {
    lamella('create', '--name', 'one', '-v', `${project}:/p:overlay`, 'busybox');
    lamella('run', '--on', 'one', '-w', '/p', 'sh', '-c', 'echo two > README; rm -r src; mkdir new; echo n > new/n; chmod 640 new/n');
    expect(readFileSync(`${project}/README`, 'utf8')).toBe('one\n');
    expect(lamella('changes', 'one')).toContain('M /p/README');
    expect(lamella('apply', '--dry-run', 'one')).toContain('Would apply: 2 added, 1 modified, 2 deleted');
    expect(readFileSync(`${project}/README`, 'utf8')).toBe('one\n');
    expect(refused('apply', 'one', '/p/README', '/p/RAEDME')).toContain("no change matches '/p/RAEDME'");
    expect(refused('apply', '-n', 'one', '/q/**')).toContain("no change matches '/q/**'");
    expect(lamella('apply', '-n', 'one', '/p/RE*', '/p/src')).toContain('Would apply: 1 modified, 2 deleted');
    expect(readFileSync(`${project}/README`, 'utf8')).toBe('one\n');
    expect(lamella('apply', 'one')).toContain('lamella apply --undo one');
    expect(readFileSync(`${project}/README`, 'utf8')).toBe('two\n');
    expect(readdirSync(project).toSorted()).toEqual(['README', 'new']);
    expect(statSync(`${project}/new/n`)).toMatchObject({ uid: user.uid, mode: 0o100640 });
    expect(lamella('apply', '--undo', 'one')).toContain('Restored');
    expect(readFileSync(`${project}/README`, 'utf8')).toBe('one\n');
    expect(readdirSync(project).toSorted()).toEqual(['README', 'src']);
    write('README', 'theirs\n');
    expect(refused('apply', 'one')).toContain('/p/README');
    lamella('apply', '--theirs', 'one');
    expect(readFileSync(`${project}/README`, 'utf8')).toBe('theirs\n');
    expect(readdirSync(project).toSorted()).toEqual(['README', 'new']);
  });

  test('is a conflict where the host has removed what it is of', () => {
    lamella('create', '--name', 'one', '-v', `${project}:/p:overlay`, 'busybox');
    lamella('run', '--on', 'one', '-w', '/p', 'sh', '-c', 'echo two > README; mv src/a src/b; echo new > new');
    rmSync(`${project}/README`);
    const said = refused('apply', 'one');
    expect(said).toContain('/p/README');
    for (const name of ['src', 'new']) expect(said).not.toContain(`/p/${name}`);
    lamella('apply', '--theirs', 'one');
    expect(readdirSync(project, { recursive: true }).toSorted()).toEqual(['new', 'src', 'src/b']);
    lamella('apply', '--ours', 'one');
    expect(readFileSync(`${project}/README`, 'utf8')).toBe('two\n');
  });

  test('stands on few states, however often it is frozen', () => {
    // By the SDK, for a command line takes longer than what it does.
    const script = `
      const { Containers } = await import(process.argv[1]);
      const one = await new Containers(process.argv[2]).create({ image: 'busybox', name: 'often' });
      const sh = async (line) => String((await (await one.run({ args: ['sh', '-c', line] })).result).stdout);
      for (let i = 0; i < 34; i++) {
        await sh('echo ' + i + ' >/file-' + i + '; rm -f /file-' + (i - 3) + '; rm -rf /home; mkdir -p /home/' + i + '; chown 5:6 /home/' + i + ' 2>/dev/null');
        await one.checkpoint();
      }
      for (let i = 0; (await one.writableMounts())[0].frozen.length > 32 && i < 2000; i++) await new Promise((resolve) => setTimeout(resolve, 20));
      console.log((await one.writableMounts())[0].frozen.length, await sh('ls / /home; stat -c %u:%g /home/33'));`;
    const { stdout, stderr } = user.run(process.execPath, ['--input-type=module', '-e', script, import.meta.resolve('@lamella/engine'), user.store]);
    expect(stderr).toBe('');
    const [depth, ...rest] = stdout.split(/\s+/).filter(Boolean);
    expect(Number(depth)).toBeLessThanOrEqual(10);
    const owner = kind === 'an ordinary user' ? '0:0' : '5:6';
    expect(rest.join(' ')).toBe(`/: bin dev etc file-31 file-32 file-33 home proc root sys tmp usr var /home: 33 ${owner}`);
  });

  test('is frozen, gone back to, and forked', () => {
    lamella('create', '--name', 'one', 'busybox');
    lamella('run', '--on', 'one', 'sh', '-c', 'echo 1 > /a');
    const id = lamella('checkpoint', '-m', 'with a', 'one');
    lamella('run', '--on', 'one', 'sh', '-c', 'rm /a; echo 2 > /b');
    expect(lamella('history', 'one')).toContain(`* ${id}`);
    expect(lamella('rollback', 'one')).toContain('with a');
    expect(lamella('fork', 'one', 'left', 'right')).toBe('left\nright');
    lamella('run', '--on', 'left', 'rm', '/a');
    expect(lamella('run', '--on', 'right', 'cat', '/a')).toBe('1');
    expect(lamella('changes', 'left')).toContain('No changes.');
    expect(refused('fork', 'one', 'left')).toContain("'left'");
    expect(refused('rollback', 'one', 'ffff')).toContain('lamella history');
  });

  test('becomes an image, the same one each time, and a tar', () => {
    lamella('create', '--name', 'one', 'busybox');
    lamella('run', '--on', 'one', 'sh', '-c', 'echo 1 > /a; rm -r /home; mkdir -p /x/y; chown 0:0 /x');
    const digest = lamella('commit', '--timestamp', '1000', '-c', 'CMD ["cat", "/a"]', 'one', 'made');
    expect(lamella('commit', '--timestamp', '1000', '-c', 'CMD ["cat", "/a"]', 'one', 'again')).toBe(digest);
    expect(lamella('run', 'made')).toBe('1');
    expect(lamella('run', 'made', 'sh', '-c', 'ls -d /home 2>&1; ls /x')).toContain('/home: No such file');
    expect(refused('commit', '-c', 'NOTHING x', 'one', 'bad')).toContain('CMD, ENTRYPOINT');
    lamella('export', 'one', '-o', `${user.home}/one.tar`);
    lamella('import', `${user.home}/one.tar`, 'exported');
    expect(lamella('run', 'exported', 'cat', '/a')).toBe('1');
    lamella('rmi', 'made', 'again', 'exported');
  });

  test('is tried on the host itself first', { timeout: 30_000 }, (context) => {
    requiresOverlayUppers(context);
    // A command's directory is where lamella is: the tests start it in /.
    const attempt = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
      user.run(process.execPath, [CLI, 'try', ...args], { SECRET: 'passed on', TMPDIR: user.home });
    const script = 'id -u; echo $SECRET; cd "$0"; echo two > README; rm -r src; mkdir -p new/dir; exit 3';
    const first = attempt('-n', 'sh', '-c', script, project);
    expect(first).toMatchObject({ status: 3, stdout: `${user.uid}\npassed on\n` });
    const id = first.stderr.trim();
    expect(readFileSync(`${project}/README`, 'utf8')).toBe('one\n');
    expect(
      lamella('changes', '--json', id)
        .split('\n')
        .map((line) => JSON.parse(line) as { kind: string; path: string })
        .map(({ kind: what, path: where }) => `${what} ${where.replace(project, '')}`),
    ).toEqual(['modified /README', 'added /new', 'added /new/dir', 'deleted /src', 'deleted /src/a']);
    lamella('discard', id);
    const second = attempt('-y', 'sh', '-c', script, project);
    expect(second).toMatchObject({ status: 3, stderr: expect.stringContaining('Applied: 2 added, 1 modified, 2 deleted') });
    expect(readFileSync(`${project}/README`, 'utf8')).toBe('two\n');
    expect(statSync(`${project}/new/dir`)).toMatchObject({ uid: user.uid });
    expect(readdirSync(project).toSorted()).toEqual(['README', 'new']);
    lamella('apply', '--undo', /--undo (\w+)/.exec(second.stderr)?.[1] ?? '');
    expect(readFileSync(`${project}/README`, 'utf8')).toBe('one\n');
    expect(readdirSync(project).toSorted()).toEqual(['README', 'src']);
    // What it is not to know it does not find, and it is alone.
    const hidden = attempt('-x', '--hide', `${project}/src`, 'sh', '-c', 'ls "$0"; ls /proc | grep -c "^[0-9]"', `${project}/src`);
    expect(Number(hidden.stdout.split('\n')[0])).toBeLessThan(6);
    // Nothing was changed: nothing is kept.
    expect(attempt('true')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(attempt('sh', '-c', 'no-such-command')).toMatchObject({ status: 127 });
    expect(attempt('/no/such/command')).toMatchObject({ status: 127 });
    // A program may be in a part of the PATH that the user cannot read.
    expect(attempt('exit', '3').stderr).toMatch(user.uid === 0 ? /lamella try 'exit 3'/ : /exit: /);
  });

  test('is tried step by step, as lines for a shell', { timeout: 30_000 }, (context) => {
    requiresOverlayUppers(context);
    const attempt = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
      user.run(process.execPath, [CLI, 'try', ...args], { SECRET: 'passed on', TMPDIR: user.home });
    expect(attempt('printf "%s\\n" "$SECRET" | tr p P; exit 3')).toEqual({ status: 3, stdout: 'Passed on\n', stderr: '' });
    const box = path.join(user.home, 'box');
    expect(attempt('-D', box, 'true')).toMatchObject({ status: 125, stderr: expect.stringContaining(`mkdir ${box}`) });
    user.run('mkdir', [box], {});
    const [begun, goneOn] = [`cd ${project}; echo 1 > one; echo 2 > two; rm README`, `cd ${project}; rm one; echo 3 >> two; cat two`].map((line) =>
      attempt('-D', box, line),
    );
    expect(begun).toMatchObject({ status: 0, stdout: '' });
    expect(goneOn).toMatchObject({ status: 0, stdout: '2\n3\n' });
    expect(attempt('-D', box, '--hide', '/etc', 'true')).toMatchObject({ status: 125 });
    const kept = goneOn?.stderr.trim().split('\n').at(-1) ?? '';
    expect(user.run(process.execPath, [CLI, 'apply', '--root', box, kept], {})).toMatchObject({ status: 0 });
    expect(readdirSync(project).toSorted()).toEqual(['src', 'two']);
    expect(readFileSync(`${project}/two`, 'utf8')).toBe('2\n3\n');
  });
});
