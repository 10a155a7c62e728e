import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Containers, ImageStore } from '@lamella/engine';
import { busyboxArchive, OCI_RUNTIME, requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { ociLayout, tarArchive } from '@lamella-test/tree';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLI } from './cli.js';
import { fresh, PRINTING, type World } from './every-command.js';

const long = process.env.LAMELLA_LONG === '1';
/** A title for the terminal, a color by one byte, text from right to left, the beginning of the line. */
const EVIL = '\u001b]0;pwn\u0007\u009b31m\u202e\rX\u2028\u0085';
const MANIFEST = path.join(path.dirname(CLI), '../oclif.manifest.json');

let at: ScratchDirectory;
let world: World;

beforeAll(async () => {
  if (process.geteuid?.() !== 0) return;
  at = scratch();
  const images = new ImageStore(at.join('store'));
  const layer = tarArchive([
    { name: 'evil/', type: '5', pax: { path: `evil${EVIL}/`, comment: EVIL } },
    { name: 'link', type: '2', linkname: 'x', pax: { path: `evil${EVIL}/link`, linkpath: EVIL } },
    { name: 'attributes', pax: { [`SCHILY.xattr.user.${EVIL}`]: EVIL } },
  ]);
  ociLayout(at.join('layout'), [readFileSync(busyboxArchive()), layer], {
    config: {
      Cmd: [EVIL],
      Env: ['PATH=/bin', `EVIL=${EVIL}`],
      Labels: { [`label${EVIL}`]: EVIL },
      ExposedPorts: { '80/tcp': {} },
      Volumes: {},
      StopSignal: 'SIGTERM',
    },
    edit({ config }) {
      config.author = EVIL;
      config.history = [
        { created: EVIL, created_by: EVIL, author: EVIL, comment: EVIL },
        { created_by: EVIL, comment: EVIL },
      ];
    },
  });
  await images.load(at.join('layout'), { name: 'evil' });
  const script = `: '${EVIL}'; mkdir '/new${EVIL}'; echo >"/new$(printf '\\233m\\377')"; ln -s '${EVIL}' '/link${EVIL}'; rm -r /evil*`;
  world = {
    containers: new Containers(at.join('store')),
    images,
    image: 'evil',
    archive: busyboxArchive(),
    directory: at.path,
    registry: undefined,
    script,
    fileName: EVIL,
    spec: { labels: { [`label${EVIL}`]: EVIL }, env: { [`NAME${EVIL}`]: EVIL } },
  };
});
beforeEach((context) => requiresRoot(context));
afterAll(async () => {
  if (!at) return;
  for (const { id } of (await world?.containers.list()) ?? []) await (await world.containers.get(id)).remove({ force: true });
  await at[Symbol.asyncDispose]();
});

/**
 * What a terminal would take for more than text in the output, except new lines and our colors.
 *
 * @param bars whether there are bars of progress, which move the cursor
 */
function unsafe(output: Buffer, bars = false): string[] {
  const decoded = output.toString('utf8');
  // Terminals differ in bytes that are not UTF-8.
  if (!Buffer.from(decoded).equals(output)) return ['no UTF-8'];
  const own = bars ? MOVES : COLORS;
  return decoded.replaceAll('\r\n', '\n').replace(own, '').match(CONTROLS) ?? [];
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const COLORS = /\x1b\[[\d;]*m/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const MOVES = /\x1b\[[\d;?]*[A-KSThlm]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const CONTROLS = /.{0,30}[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069].{0,30}/gu;

const env = (): NodeJS.ProcessEnv => ({
  ...process.env,
  LAMELLA_ROOT: at.join('store'),
  LAMELLA_NODE: process.execPath,
  NODE_NO_WARNINGS: '1',
  HOME: at.join('home'),
  XDG_DATA_HOME: at.join('data'),
  XDG_CONFIG_HOME: at.join('config'),
  XDG_CACHE_HOME: at.join('cache'),
  PATH: `${at.join('bin')}:${process.env.PATH}`,
  TERM: 'xterm-256color',
  NO_COLOR: undefined,
});

async function said(program: string, args: readonly string[]): Promise<Buffer> {
  const child = spawn(program, args, { env: env(), cwd: at.path, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end();
  const [stdout, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr), once(child, 'close')]);
  return Buffer.concat([stdout, stderr]);
}

const piped = (...args: string[]): Promise<Buffer> => said(CLI, args);
const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
/** On a terminal, with colors. */
const onTerminal = (...args: string[]): Promise<Buffer> => said('script', ['-qefc', [CLI, ...args].map(quoted).join(' '), '/dev/null']);

async function all<Item>(items: readonly Item[], act: (item: Item) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await act(item);
  };
  await Promise.all(Array.from({ length: 3 }, worker));
}

/** Their stdout is data: it is for no terminal, or it is what the container's own process wrote. */
const DATA = ['save', 'export', 'cp', 'logs'];

test('no command lets what an image or a container calls itself reach the terminal', { timeout: 600_000 }, async (context) => {
  requiresProgram(context, 'script');
  const shown: string[] = [];
  // What shows names; the others print an id.
  const telling = [
    'ps',
    'top',
    'inspect',
    'changes',
    'apply',
    'history',
    'rollback',
    'image:history',
    'image:inspect',
    'run',
    'load',
    'import',
    'events',
    'images',
    'stats',
  ];
  await all(
    Object.entries(PRINTING).filter(([id]) => !DATA.includes(id) && (long || telling.includes(id))),
    async ([id, words]) => {
      const args = await words(world);
      if (!args) return;
      for (const more of id === 'changes'
        ? [[], ['--all'], ['--patch'], ['--json']]
        : id === 'ps'
          ? [['--no-trunc'], ['--json'], ['--format', '{{.Command}} {{.Labels}} {{json .}}']]
          : [[]]) {
        const output = await onTerminal(...args, ...more);
        expect([[...args, ...more].join(' '), ...unsafe(output, ['load', 'import'].includes(id))]).toEqual([[...args, ...more].join(' ')]);
        if (output.includes('pwn')) shown.push(id);
      }
    },
  );
  // Else there would be nothing to see.
  expect([...new Set(shown)].sort()).toEqual(
    expect.arrayContaining(['apply', 'changes', 'history', 'image:history', 'image:inspect', 'inspect', 'ps', 'rollback', 'top']),
  );
});

test('a patch on a terminal is escaped, and into a pipe it is exact', async (context) => {
  requiresProgram(context, 'script');
  const id = await fresh({ ...world, script: `printf '${EVIL}\\n\\377\\n' >/file; printf '\\0${EVIL}' >/binary` }, 'ended');
  expect(unsafe(await onTerminal('changes', '--patch', id))).toEqual([]);
  expect((await piped('changes', '--patch', id)).includes(Buffer.from(`+${EVIL}\n`))).toBe(true);
});

test('a review, and what try lists', async (context) => {
  requiresProgram(context, 'script');
  mkdirSync(at.join('here'));
  const args = ['-c', `cd ${quoted(at.join('here'))}; exec "$@"`, 'sh', CLI, 'try', '-D', '.', 'sh', '-c', `echo '${EVIL}' >'new${EVIL}'`];
  const output = await said('sh', args);
  expect(output.includes('pwn')).toBe(true);
  expect(unsafe(output)).toEqual([]);
});

/** A server with the same answer to all requests. */
async function speaking(answer: () => string): Promise<{ readonly host: string } & AsyncDisposable> {
  const server = createServer((socket) => {
    // The client closes the connection early.
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(Buffer.from(answer(), 'utf8')));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}

describe('errors', () => {
  test('words of the command line', { timeout: 600_000 }, async () => {
    const known = JSON.parse(readFileSync(MANIFEST, 'utf8')) as { commands: Record<string, { flags: Record<string, { type: string }> }> };
    const lines = Object.entries(known.commands)
      // What try executes writes itself.
      .filter(([id]) => id !== 'try')
      .flatMap(([id, { flags }], i) => {
        const options = Object.entries(flags).filter(([name, { type }]) => type === 'option' && name !== 'root');
        const words = id.split(':');
        const lone = [...words, EVIL, EVIL];
        const each = options.map(([name]) => [...words, `--${name}`, EVIL, EVIL, EVIL]);
        const chosen = each[i % Math.max(1, each.length)];
        if (long) return [lone, [...words, `--${EVIL}`], ...each];
        return i % 4 ? [] : [chosen ?? lone];
      });
    // Others than those of the manifest are oclif's, or need npm.
    lines.push([EVIL], ['plugins', 'uninstall', EVIL], ['ps', `--root=/proc/${EVIL}`]);
    if (long) lines.push(['help', EVIL], ['plugins', 'install', `./${EVIL}`], ['ps', '--root', `/${EVIL}`]);
    await all(lines, async (args) => expect([args.join(' '), ...unsafe(await piped(...args))]).toEqual([args.join(' ')]));
  });

  test('debug shows where they came from, as text', async () => {
    expect(unsafe(await piped('inspect', '--debug', EVIL))).toEqual([]);
  });

  test('what a registry answers', async () => {
    const body = JSON.stringify({ errors: [{ code: EVIL, message: EVIL, detail: EVIL }] }).replace(/\\u00([01])b/g, '\u001b');
    const answers = [
      `HTTP/1.1 404 ${EVIL}\r\nContent-Type: application/json\r\n\r\n${body}`,
      `HTTP/1.1 500 Broken\r\nContent-Type: application/json\r\n\r\n${JSON.stringify({ errors: [{ code: EVIL, message: EVIL }] })}`,
      `HTTP/1.1 403 No\r\nContent-Type: text/plain\r\n\r\n${EVIL}`,
      `HTTP/1.1 429 Later\r\nRetry-After: ${EVIL}\r\n\r\n${EVIL}`,
      `HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm="http://127.0.0.1:1/${EVIL}",service="${EVIL}"\r\n\r\n`,
      `HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="\u009b31m\u00ff"\r\n\r\n`,
      `HTTP/1.1 401 No\r\nWWW-Authenticate: ${'\u009b'}\r\n\r\n`,
      `HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:1/\u009b31m\u00e2\u0080\u00ae\r\n\r\n`,
      `HTTP/1.1 307 There\r\nLocation: ${EVIL}\r\n\r\n`,
      `HTTP/1.1 200 OK\r\nContent-Type: \u009b31m\r\nDocker-Content-Digest: \u009b31m\r\n\r\n{"schemaVersion":2}`,
      `HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\n\r\n${JSON.stringify({ schemaVersion: 2, mediaType: EVIL, config: { digest: EVIL, mediaType: EVIL, size: 1 }, layers: [{ mediaType: EVIL, digest: EVIL, size: 1 }] })}`,
      `HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\n\r\n${JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType: EVIL, digest: EVIL, size: 1, platform: { os: EVIL, architecture: EVIL, variant: EVIL } }] })}`,
      `${EVIL}\r\n\r\n`,
    ];
    let answer = '';
    await using server = await speaking(() => answer);
    let shown = 0;
    // After many of them it is asked again, and again, which takes its time.
    for (answer of long ? answers : answers.filter((_, i) => i % 9 === 0)) {
      const output = await piped('pull', `${server.host}/app`);
      expect([answer, ...unsafe(output)]).toEqual([answer]);
      if (output.includes('pwn') || output.includes('x9b')) shown++;
    }
    expect(shown).toBeGreaterThan(0);
  });

  test('what archives have in them', async () => {
    const archives = [
      tarArchive([{ name: 'strange', type: 'Z', pax: { path: `strange${EVIL}` } }]),
      tarArchive([{ name: 'a', pax: { path: `../../${EVIL}` } }]),
      tarArchive([{ name: 'a', type: '1', linkname: 'x', pax: { linkpath: `missing${EVIL}`, path: EVIL } }]),
      tarArchive([{ name: '\u009b31m', pax: { 'GNU.sparse.major': EVIL, 'GNU.sparse.map': EVIL } }]),
      tarArchive([{ name: 'a', pax: { size: EVIL } }]),
      tarArchive([{ name: 'a', pax: { path: Buffer.from('\u009b31m\u00ff', 'latin1') }, type: 'Z' }]),
      tarArchive([{ name: 'manifest.json', data: JSON.stringify([{ Config: EVIL, RepoTags: [EVIL], Layers: [EVIL] }]) }]),
    ];
    for (const [i, archive] of (long ? archives : archives.slice(0, 3)).entries()) {
      const file = at.join(`evil-${i}.tar`);
      writeFileSync(file, archive);
      for (const args of long
        ? [
            ['import', file, `evil-${i}`],
            ['load', file],
          ]
        : [i % 2 ? ['load', file] : ['import', file, `evil-${i}`]])
        expect([i, ...unsafe(await piped(...args))]).toEqual([i]);
    }
  });

  test('what a helper says', async () => {
    mkdirSync(at.join('home/.docker'), { recursive: true });
    mkdirSync(at.join('bin'));
    writeFileSync(at.join('home/.docker/config.json'), JSON.stringify({ credsStore: 'evil' }));
    writeFileSync(at.join('bin/docker-credential-evil'), `#!/bin/sh\necho '${EVIL}' >&2\nprintf '${EVIL}'\nexit 1\n`);
    chmodSync(at.join('bin/docker-credential-evil'), 0o755);
    await using server = await speaking(() => 'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n');
    const output = await piped('pull', `${server.host}/app`);
    expect(output.includes('pwn')).toBe(true);
    expect(unsafe(output)).toEqual([]);
  });

  test('lamella-oci, its log too', async () => {
    const bundle = at.join('bundle');
    mkdirSync(path.join(bundle, 'rootfs'), { recursive: true });
    const config = {
      ociVersion: '1.0.2',
      root: { path: EVIL },
      hostname: EVIL,
      process: { cwd: EVIL, args: [EVIL], user: { uid: 0, gid: 0 } },
      mounts: [{ destination: `/${EVIL}`, type: EVIL, source: EVIL }],
    };
    writeFileSync(path.join(bundle, 'config.json'), JSON.stringify(config));
    const oci = (...args: string[]): Promise<Buffer> => said(OCI_RUNTIME, ['--root', at.join('oci'), ...args]);
    for (const args of [
      [EVIL],
      ['state', EVIL],
      ['create', '--bundle', bundle, 'one'],
      ['create', '--bundle', `/${EVIL}`, 'one'],
      ['run', '--bundle', bundle, EVIL],
      [`--${EVIL}`],
      ['list', '--format', EVIL],
      ['--debug', '--log-format', 'json', 'state', EVIL],
    ])
      expect([args.join(' '), ...unsafe(await oci(...args))]).toEqual([args.join(' ')]);
  });
});
