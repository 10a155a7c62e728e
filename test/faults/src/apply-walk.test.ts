import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { somePoints, useInjectedEngine } from './injected-engine.js';
import { pointsOf } from './injection.js';

/** So many points of each walk; all with LAMELLA_FAULTS=all. */
const SHORT = 4;
/** Calls that change what a kill leaves behind. Between two of them all states are the same. */
const CHANGING =
  /^(?:renameat2|unlinkat|mkdirat|linkat|symlinkat|mknodat|openat|openat2|write|fsync|syncfs|copy_file_range|fchownat|fchmodat|utimensat|flock)$/;

const injected = useInjectedEngine();

const BEFORE = 'mkdir -p src/deep empty; echo 1 > README; echo a > src/a; echo b > src/b; echo c > src/deep/c; ln src/a src/l; ln -s README link';
const CHANGE = `cd /p; echo 2 > README; chmod 600 src/a src/l; rm -r src/deep; mkdir -p new/dir; echo n > new/dir/n; ln new/dir/n new/two
  chmod 711 src; rm link; ln -s else link; rm -r empty; echo file > empty; rm src/b; mkdir src/b; echo in > src/b/in; ln README again`;

/** Names, kinds, permissions, owners, links and contents. */
function treeOf(directory: string): string {
  return execFileSync(
    'sh',
    ['-c', 'find . -mindepth 1 \\( -type d -printf "%P %y %m %U\\n" -o -printf "%P %y %m %U %n %l\\n" \\) | sort; find . -type f | sort | xargs sha256sum'],
    { cwd: directory, encoding: 'utf8' },
  );
}

/** A command that may be killed. */
async function attempt(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { code } = error as { code?: unknown };
    expect(code, (error as Error).stack).toBeTypeOf('string');
    // A kill changes nothing on the host.
    expect(['APPLY_CONFLICT', 'UNDO_CONFLICT'], (error as Error).stack).not.toContain(code);
  }
}

/** Without faults. The process that holds locks lives on from attempt to attempt, and meets its fault late: then once more. */
async function plainly<Result>(work: () => Promise<Result>): Promise<Result> {
  injected.interpreter.plain();
  try {
    return await work();
  } catch (error) {
    if ((error as { code?: string }).code !== 'INIT_DIED') throw error;
    return await work();
  }
}

for (const where of ['in the store', 'on another mount'] as const)
  test(`an apply to a directory ${where}, killed at any call and once more while it is mended, is whole or not done`, {
    timeout: 3_600_000,
  }, async (context) => {
    await injected.prepare(context);
    const project = injected.at.join(where === 'in the store' ? 'project' : 'mounted');
    mkdirSync(project);
    if (where === 'on another mount') execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', project]);
    try {
      execFileSync('sh', ['-ec', BEFORE], { cwd: project });
      const containers = new injected.engine.Containers(injected.root);
      // What was there before must not look as if it came after.
      await new Promise((resolve) => setTimeout(resolve, 20));
      const container = await containers.create({ image: 'busybox', volumes: [{ source: project, destination: '/p', overlay: true }] });
      await (await container.run({ args: ['sh', '-ec', CHANGE] })).result;
      // It was given a file that the apply replaces, and so does the undo.
      const other = await containers.create({ image: 'busybox', volumes: [{ source: path.join(project, 'README'), destination: '/f' }] });
      const contentOfGiven = async (): Promise<string> => String((await (await other.run({ args: ['cat', '/f'] })).result).stdout);
      const before = treeOf(project);

      injected.interpreter.tracing();
      await container.apply();
      const after = treeOf(project);
      expect(after).not.toBe(before);
      await containers.undoApply(container.id);
      expect(treeOf(project)).toBe(before);
      const points = pointsOf(injected.interpreter.calls()).filter(({ fault, syscall }) => fault === 'KILL' && CHANGING.test(syscall));
      const seen = { before: 0, after: 0 };
      const check = (what: string): 'before' | 'after' => {
        const now = treeOf(project);
        expect([before, after], what).toContain(now);
        expect(readdirSync(project, { recursive: true }).filter((name) => String(name).includes('.lamella'))).toEqual([]);
        expect(readdirSync(path.join(injected.root, 'applying')), what).toEqual([]);
        seen[now === after ? 'after' : 'before']++;
        return now === after ? 'after' : 'before';
      };
      const given = async (what: string, content: string): Promise<void> => expect(await plainly(contentOfGiven), what).toBe(content);
      for (const [i, point] of somePoints(points, SHORT).entries()) {
        const what = `${point.syscall} number ${point.nth}`;
        // The mending is killed as well, each time somewhere else.
        const second = points[(i * 37 + 11) % points.length] ?? point;
        const interrupted = async (work: () => Promise<unknown>): Promise<'before' | 'after'> => {
          injected.interpreter.inject(point);
          await attempt(work);
          injected.interpreter.inject(second);
          await attempt(() => containers.list());
          await plainly(() => containers.list());
          return check(`${what}, then ${second.syscall} number ${second.nth}`);
        };
        // No false conflict, and the way back works.
        if ((await interrupted(() => container.apply())) === 'before') await plainly(() => container.apply());
        expect(treeOf(project), what).toBe(after);
        await given(what, '2');
        if ((await interrupted(() => containers.undoApply(container.id))) === 'after') await plainly(() => containers.undoApply(container.id));
        expect(treeOf(project), what).toBe(before);
        await given(what, '1');
      }
      process.stderr.write(`an apply ${where}: ${somePoints(points, SHORT).length} of ${points.length} points, ${seen.before} not done, ${seen.after} whole\n`);
      await container.remove();
      await other.remove();
    } finally {
      if (where === 'on another mount') execFileSync('umount', [project]);
      rmSync(project, { recursive: true, force: true });
    }
  });
