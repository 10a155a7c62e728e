import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { useUser } from './user-fixture.js';

/** The commands as users type them; every combination is in packages/engine/src/changes/apply. */
describe.each(['root', 'an ordinary user'] as const)('what %s has on the host', (kind) => {
  const user = useUser(kind);
  let project: string;

  const { succeeds: lamella, fails: refused } = user;
  const to = (name: string): string => path.join(project, name);
  /** As the user, in the project. */
  const host = (script: string): void => expect(user.run('sh', ['-ec', `cd "$0"; ${script}`, project])).toMatchObject({ status: 0, stderr: '' });
  const inside = (script: string): string => lamella('run', '--on', 'one', '-w', '/p', 'sh', '-ec', script);

  beforeEach(() => {
    project = `${user.home}/project`;
    rmSync(project, { recursive: true, force: true });
    mkdirSync(project);
    chownSync(project, user.uid, user.uid);
    host('mkdir d e; echo f >d/f; echo other >e/f; echo g >d/g; echo linked >a; ln a b');
    lamella('create', '--name', 'one', '-v', `${project}:/p:overlay`, 'busybox');
  });

  test('is not undone with an apply, and forced it is kept', () => {
    inside('mkdir -p app/src; echo generated >app/src/main.js');
    lamella('apply', 'one');
    host('echo mine >app/src/main.js');
    expect(refused('apply', '--undo', 'one')).toContain(to('app/src/main.js'));
    expect(readFileSync(to('app/src/main.js'), 'utf8')).toBe('mine\n');
    const { kept } = JSON.parse(lamella('apply', '--undo', '--force', '--json', 'one')) as { kept: { path: string; at: string }[] };
    expect(kept.map(({ path: name }) => name)).toEqual([to('app')]);
    expect(readFileSync(`${kept[0]?.at}/src/main.js`, 'utf8')).toBe('mine\n');
    expect(existsSync(to('app'))).toBe(false);
  });

  test('is not taken for something else that has its name, and names beside it are no conflict', () => {
    inside('echo inside >d/f; rm d/g; rm a b');
    host('echo x >d/x; echo y >y; mkdir z');
    expect(lamella('apply', '--dry-run', 'one')).toContain('1 modified, 3 deleted');
    renameSync(to('d'), to('away'));
    renameSync(to('e'), to('d'));
    expect(refused('apply', 'one')).toContain('/p/d/f');
    expect(lamella('apply', '--theirs', 'one')).toContain('not applied');
    expect([readFileSync(to('d/f'), 'utf8'), readFileSync(to('away/f'), 'utf8')]).toEqual(['other\n', 'f\n']);
    expect(readdirSync(project).toSorted()).toEqual(['away', 'd', 'y', 'z']);
  });

  test('and that is moved into a new directory, and changed there, is no conflict', () => {
    inside('mkdir new; mv e/f new/f; echo more >>new/f; mv d/f new/g; rm new/g');
    lamella('apply', 'one');
    expect(readFileSync(to('new/f'), 'utf8')).toBe('other\nmore\n');
    expect(readdirSync(to('e'))).toEqual([]);
  });

  test('does not come back after it was removed, and stays linked', () => {
    inside('echo new >new; chmod 600 a b');
    lamella('apply', 'one');
    expect(user.run('stat', ['-c', '%h %a', to('a')]).stdout).toBe('2 600\n');
    writeFileSync(to('new'), 'mine');
    renameSync(to('new'), to('renamed'));
    expect(refused('apply', 'one')).toContain('/p/new');
    expect(readdirSync(project).toSorted()).toEqual(['a', 'b', 'd', 'e', 'renamed']);
  });
});
