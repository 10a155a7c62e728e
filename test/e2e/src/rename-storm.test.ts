import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { busyboxArchive, scratch } from '@lamella-test/scratch';
import { beforeEach, expect, test } from 'vitest';
import { CLI, cli } from './cli.js';
import { requiresContainers } from './rights.js';

beforeEach((context) => requiresContainers(context));

/** Renames directories for ever, and says that it began. */
const STORM = `
  const { mkdirSync, renameSync, writeSync } = require('node:fs');
  const at = require('node:fs').mkdtempSync('/tmp/storm-');
  mkdirSync(at + '/a');
  for (let i = 0; ; i++) { if (i === 10) writeSync(1, 'began'); renameSync(at + '/a', at + '/b'); renameSync(at + '/b', at + '/a'); }`;
const STARTS = process.env.LAMELLA_LONG ? 2000 : 12;

test('containers start while others rename directories as fast as they can', async () => {
  await using at = scratch();
  const lamella = cli(at.join('store'));
  expect(lamella(['import', busyboxArchive(), 'busybox'])).toMatchObject({ status: 0 });
  // What is mounted lies behind a link that goes up: such lookups are the ones that a rename anywhere disturbs.
  const links = 'mkdir -p /a/b /real; ln -s ../../a/../a/b/../../real /a/b/up';
  expect(lamella(['run', '--keep', '--name', 'linked', 'busybox', 'sh', '-c', links])).toMatchObject({ status: 0 });
  expect(lamella(['commit', 'linked', 'linked'])).toMatchObject({ status: 0 });
  const storms = [0, 1].map(() =>
    spawn(process.execPath, [CLI, 'try', '-n', process.execPath, '-e', STORM], {
      env: { ...process.env, LAMELLA_ROOT: at.join('store') },
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  try {
    await Promise.all(storms.map(({ stdout }) => once(stdout, 'data')));
    const failures: string[] = [];
    for (let i = 0; i < STARTS; i++) {
      const { status, stderr } = spawnSync(process.execPath, [CLI, 'run', '--rm', '-v', `${at.join('store')}:/a/b/up:ro`, '-w', '/a/b/up', 'linked', 'true'], {
        env: { ...process.env, LAMELLA_ROOT: at.join('store') },
        encoding: 'utf8',
      });
      if (status !== 0) failures.push(stderr);
    }
    expect(failures).toEqual([]);
  } finally {
    const gone = storms.map((storm) => once(storm, 'exit'));
    for (const storm of storms) storm.kill('SIGKILL');
    await Promise.all(gone);
  }
}, 600_000);
