import { chownSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fails, kindsToRun } from './test-user.js';
import { useUser } from './user-fixture.js';

const KINDS = [
  ...kindsToRun('root', 'an ordinary user').map((kind) => [kind, kind, []] as const),
  ['root, in a user namespace of its own', 'root', ['--userns', 'auto']] as const,
];

describe.each(KINDS)('containers of %s that run', (_, kind, flags) => {
  const user = useUser(kind);
  const { succeeds: lamella } = user;
  const inside = (name: string, script: string): string => lamella('exec', name, 'sh', '-c', script);
  const begin = (name: string, script: string, ...more: string[]): void => {
    lamella(
      'run',
      '-d',
      '--name',
      name,
      '--stop-timeout',
      '0',
      ...flags,
      ...more,
      'busybox',
      'sh',
      '-c',
      `${script}; echo ready >/dev/stderr; exec sleep 1000`,
    );
    for (let i = 0; i < 100 && !user.lamella(['logs', name]).stderr.includes('ready'); i++) user.run('sleep', ['0.05']);
  };

  test('are frozen, and go on above that; are taken back; are forked', () => {
    begin('live', 'echo one >/file; rm -r /home; echo changed >>/etc/hosts');
    const first = lamella('checkpoint', '-m', 'first', 'live');
    const frozen = readdirSync(`${user.store}/frozen/${first}/upper`).sort();
    expect(frozen).toEqual(['file', 'home']);
    expect(inside('live', 'cat /file; ls /home 2>&1; tail -n 1 /etc/hosts; echo two >/file; touch /more; cat /proc/1/comm; wc -l </proc/mounts')).toMatch(
      /^one\nls: \/home: No such file or directory\nchanged\nsleep\n\d+$/,
    );
    // What is frozen stays what it was.
    expect(readFileSync(`${user.store}/frozen/${first}/upper/file`, 'utf8')).toBe('one\n');
    expect(lamella('changes', 'live')).toMatch(/^A \/file .*\nD \/home\/\nA \/more /);
    lamella('checkpoint', 'live');
    inside('live', 'rm /more; mount | grep -c " / " >/count');
    expect(inside('live', 'cat /count')).toBe('1');
    lamella('fork', 'live', 'other');
    expect(lamella('run', '--on', 'other', 'cat', '/file', '/count')).toBe('two\n1');
    lamella('rollback', 'live', first.slice(0, 6));
    expect(inside('live', 'cat /file; ls /more 2>&1; echo three >/file')).toBe('one\nls: /more: No such file or directory');
    expect(lamella('history', 'live')).toMatch(/\* .*first/);
    // Nothing of what it did on the way is left when it starts again.
    lamella('stop', '-t', '0', 'live');
    expect(lamella('run', '--on', 'live', 'cat', '/file')).toBe('three');
    expect(readdirSync(`${user.store}/containers/${lamella('ps', '-aq', '--filter', 'name=live')}`)).not.toContain('work.old');
  });

  test('with volumes that are overlays', () => {
    const directory = `${user.home}/project`;
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory);
    writeFileSync(`${directory}/file`, 'of the host\n');
    for (const each of [directory, `${directory}/file`]) chownSync(each, user.uid, user.uid);
    begin('volume', 'echo one >/work/file', '-v', `${directory}:/work:overlay`);
    const first = lamella('checkpoint', 'volume');
    inside('volume', 'echo two >/work/file; touch /work/new');
    lamella('rollback', 'volume', first.slice(0, 8));
    expect(inside('volume', 'cat /work/file; ls /work')).toBe('one\nfile');
    lamella('stop', '-t', '0', 'volume');
    lamella('apply', 'volume');
    expect(readFileSync(`${directory}/file`, 'utf8')).toBe('one\n');
  });

  test('are left alone where something holds on, and told why', () => {
    const busy = (name: string, script: string, why: string, ...more: string[]): void => {
      begin(name, script, ...more);
      expect(fails(user, ['checkpoint', name])).toMatch(new RegExp(`the container ${name} is running, and cannot be frozen now: .*${why}`));
      // It goes on as it did.
      expect(inside(name, 'echo x >/goes-on; cat /goes-on')).toBe('x');
      expect(lamella('history', name)).toContain('no checkpoints');
    };
    busy('writes', 'exec 5>/log', 'the process sleep .* has .*log open');
    busy('reads', 'exec 5</etc/passwd', 'has .*passwd open');
    busy('works', 'cd /tmp', 'works in .*tmp');
    // What could not be written before cannot be afterwards, either.
    begin('closed', 'true', '--read-only', '--tmpfs', '/run');
    lamella('checkpoint', 'closed');
    expect(inside('closed', 'touch /x 2>&1; touch /run/x && echo written')).toMatch(/Read-only file system\nwritten/);
    begin('closed-busy', 'exec 5</etc/passwd', '--read-only');
    fails(user, ['checkpoint', 'closed-busy']);
    expect(inside('closed-busy', 'touch /x 2>&1; true')).toContain('Read-only file system');
    if (user.uid === 0) busy('restarts', 'true', 'its monitor may start it again', '--restart', 'always');
  });

  // An ordinary user can pause nothing without a cgroup that was delegated.
  if (kind === 'root')
    test('are frozen while they are paused, and stay so', () => {
      begin('paused', 'echo one >/file');
      lamella('pause', 'paused');
      lamella('checkpoint', 'paused');
      expect(lamella('ps', '--filter', 'name=paused', '--format', '{{.State}}')).toBe('paused');
      lamella('unpause', 'paused');
      expect(inside('paused', 'cat /file; echo two >/file')).toBe('one');
    });
});
