import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxArchive, hasOverlayUppers, mountsBelow, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLI, cli, type Outcome } from './cli.js';
import { hasOtherIds, isRoot, requiresContainers, requiresOtherIds } from './rights.js';

let at: ScratchDirectory;
let lamella: ReturnType<typeof cli>;
beforeAll(() => {
  at = scratch();
  lamella = cli(at.join('store'));
  expect(lamella(['import', busyboxArchive(), 'busybox'])).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^busybox:latest sha256:[0-9a-f]{64}\n$/),
    stderr: '',
  });
});
afterAll(() => at[Symbol.asyncDispose]());
beforeEach((context) => requiresContainers(context));

const ok = (stdout: string): Outcome => ({ status: 0, stdout, stderr: '' });

describe('exit statuses are those of Docker', () => {
  test.for<[number, string[], RegExp]>([
    [0, ['run', 'busybox', 'true'], /^$/],
    [7, ['run', 'busybox', 'sh', '-c', 'exit 7'], /^$/],
    [137, ['run', '--init', 'busybox', 'sh', '-c', 'kill -9 $$'], /^$/],
    [143, ['run', '--init', 'busybox', 'sh', '-c', 'kill $$'], /^$/],
    [127, ['run', 'busybox', 'no-such-command'], /no-such-command: not found in the container\n {2}/],
    [126, ['run', 'busybox', '/etc/passwd'], /cannot be executed in the container: EACCES\n {2}/],
    [125, ['run', '--pull', 'never', 'no-such-image', 'true'], /there is no image 'no-such-image' in .*\n {2}Import one/],
    [
      125,
      ['run', '127.0.0.1:1/nobody/there', 'true'],
      /there is no image '127.0.0.1:1\/nobody\/there' in .*, and fetching it fails: 127.0.0.1:1 cannot be reached: ECONNREFUSED\n {2}.*import/,
    ],
    [125, ['pull', '127.0.0.1:1/nobody/there'], /127.0.0.1:1 cannot be reached/],
    [125, ['pull', '--platform', 'a/b/c/d', 'x'], /'a\/b\/c\/d' is not a platform/],
    [125, ['push', 'no-such'], /there is no image 'no-such:latest'/],
    [125, ['load', '/no/such/archive'], /\/no\/such\/archive cannot be read: ENOENT/],
    [125, ['load', '/etc'], /neither an OCI image layout nor what docker save or skopeo's dir: writes\n {2}.*lamella import/],
    [125, ['save', 'no-such', '-o', '/tmp/never'], /there is no image 'no-such:latest'/],
    [125, ['save', 'busybox', '-o', '/no/such/directory/x.tar'], /\/no\/such\/directory\/x\.tar/],
    [125, ['tag', 'busybox', 'BAD'], /'BAD' is not an image name/],
    [125, ['run'], /no image given\n {2}/],
    [125, ['run', '--nmae', 'x', 'busybox'], /unknown flag: --nmae\n {2}Did you mean --name\?/],
    [125, ['run', '--network', 'bridge', 'busybox'], /invalid value 'bridge' for --network\n {2}Use none.*pasta/],
    [125, ['run', '-v', 'relative-name:/x', 'busybox', 'true'], /named volume.*\n {2}.*-v \.\/relative-name:\/x/],
    [125, ['run', '-w', 'relative', 'busybox', 'true'], /not an absolute path/],
    [125, ['run', '-e', '=x', 'busybox', 'true'], /invalid environment variable/],
    [125, ['run', '--tmpfs', '/x:nonsense', 'busybox', 'true'], /invalid tmpfs option 'nonsense'/],
    [125, ['run', '--keep', '--rm', 'busybox', 'true'], /cannot be used together/],
    [125, ['run', '--root', '/proc/nowhere', 'busybox', 'true'], /\/proc\/nowhere.* cannot be made: ENOENT/],
    [125, ['runn', 'busybox'], /unknown command: runn\n {2}Did you mean lamella run\?/],
    [125, ['images', '--jsno'], /unknown flag: --jsno\n {2}Did you mean --json\?/],
    [125, ['import', '/no/such/file', 'x'], /\/no\/such\/file cannot be read: ENOENT\n {2}Check the path/],
    [125, ['import', '/etc/passwd', 'x'], /this is not a tar archive\n {2}/],
    [125, ['import', '/etc/passwd'], /lamella: /],
    [125, ['import', '/etc/passwd', 'BAD NAME'], /'BAD NAME' is not an image name: /],
    [125, ['rmi', 'no-such'], /there is no image 'no-such:latest'/],
  ])('%i for lamella %j', ([status, args, stderr]) => {
    const outcome = lamella(args);
    expect(outcome.stderr).toMatch(stderr);
    expect([outcome.status, outcome.stdout]).toEqual([status, '']);
  });
});

describe('run', () => {
  test('passes stdin only with -i, and keeps stdout and stderr apart', () => {
    expect(lamella(['run', 'busybox', 'cat'], { input: 'unread' })).toEqual(ok(''));
    expect(lamella(['run', '-i', 'busybox', 'cat'], { input: 'read' })).toEqual(ok('read'));
    expect(lamella(['run', 'busybox', 'sh', '-c', 'echo out; echo err >&2'])).toEqual({ status: 0, stdout: 'out\n', stderr: 'err\n' });
  });

  test("takes the image's words after IMAGE as they are", () => {
    expect(lamella(['run', 'busybox', 'echo', '-e', '--name', '--', '-it'])).toEqual(ok('--name -- -it\n'));
    expect(lamella(['run', '--', 'busybox', 'echo', 'x'])).toEqual(ok('x\n'));
  });

  test('sets the environment by -e and --env-file', () => {
    writeFileSync(at.join('env'), '# comment\nFROM_FILE=one two\n\nBOTH=file\nPASSED\n');
    const { stdout } = lamella(['run', '--env-file', at.join('env'), '-e', 'BOTH=flag', '-e', 'EMPTY=', '-e', 'NOT_SET_HERE', 'busybox', 'env'], {
      env: { PASSED: 'on' },
    });
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(['FROM_FILE=one two', 'BOTH=flag', 'EMPTY=', 'PASSED=on']));
    expect(stdout).not.toContain('NOT_SET_HERE');
  });

  test('mounts volumes and tmpfs, sets directory and host name', () => {
    mkdirSync(at.join('volume'));
    writeFileSync(at.join('volume/file'), 'shared\n');
    const script = 'cat file; echo new > new; id -u; hostname; pwd; df -k /t | tail -1 | awk "{print \\$2}"; touch /ro/x 2>&1; ls / | grep -c "^ro$"';
    const args = [
      '-v',
      `${at.join('volume')}:/w`,
      '-v',
      `${at.join('volume')}:/ro:ro`,
      '--tmpfs',
      '/t:size=2m,mode=700',
      '-w',
      '/w',
      '--hostname',
      'named',
      'busybox',
      'sh',
      '-c',
      script,
    ];
    expect(lamella(['run', ...args])).toEqual(ok('shared\n0\nnamed\n/w\n2048\ntouch: /ro/x: Read-only file system\n1\n'));
    expect(readFileSync(at.join('volume/new'), 'utf8')).toBe('new\n');
  });

  test('is another user', (context) => {
    requiresOtherIds(context);
    expect(lamella(['run', '-u', 'nobody', 'busybox', 'id', '-un'])).toEqual(ok('nobody\n'));
    expect(lamella(['run', '-u', '4711:42', 'busybox', 'sh', '-c', 'id -u; id -g'])).toEqual(ok('4711\n42\n'));
  });

  test('--read-only, --init, --entrypoint, --network and clusters of short flags do what they say', () => {
    expect(lamella(['run', '--read-only', 'busybox', 'touch', '/x'])).toMatchObject({ status: 1, stderr: expect.stringContaining('Read-only file system') });
    expect(lamella(['run', '--init', 'busybox', 'sh', '-c', 'cat /proc/1/comm; echo $$'])).toEqual(ok('lamella-init\n2\n'));
    expect(lamella(['run', '--entrypoint', 'echo', 'busybox', 'x'])).toEqual(ok('x\n'));
    expect(lamella(['run', 'busybox', 'ls', '/sys/class/net'])).toEqual(ok('lo\n'));
    expect(lamella(['run', '--network', 'host', 'busybox', 'ls', '/sys/class/net']).stdout.split('\n').filter(Boolean)).toEqual(
      readdirSync('/sys/class/net').sort(),
    );
    expect(lamella(['run', '-iw/tmp', '-uroot', 'busybox', 'sh', '-c', 'pwd; cat'], { input: 'x' })).toEqual(ok('/tmp\nx'));
  });

  test('--json prints one object with what happened', () => {
    const { status, stdout } = lamella(['run', '--json', '--name', 'for-programs', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f]{12}$/),
      exitCode: 3,
      stdout: 'out',
      stderr: 'err',
      failed: true,
      timedOut: false,
      durationMs: expect.any(Number),
    });
    const failure = lamella(['run', '--json', '--pull', 'never', 'no-such', 'true']);
    expect([failure.status, JSON.parse(failure.stdout)]).toEqual([
      125,
      { error: { name: 'ImageError', code: 'IMAGE_NOT_FOUND', message: expect.any(String), hint: expect.any(String) } },
    ]);
  });

  test('--debug prints where an error came from', () => {
    expect(lamella(['run', 'busybox', '/no/such']).stderr.split('\n')).toHaveLength(3);
    const { stderr } = lamella(['run', '--debug', 'busybox', '/no/such']);
    expect(stderr).toContain('SyscallError: execve("/no/such") failed: ENOENT');
  });

  test('--keep says where; sweep lists it and, asked to, takes it away', () => {
    const { stderr } = lamella(['run', '--keep', '--name', 'keeper', 'busybox', 'touch', '/new']);
    const [, upper = '', id] = /^kept (.*\/containers\/([0-9a-f]{12})\/upper)\n$/.exec(stderr) ?? [];
    expect(readdirSync(upper)).toEqual(['new']);
    expect(lamella(['sweep']).stdout).toBe(`kept     ${upper}\n`);
    expect(lamella(['sweep', '--kept'])).toEqual(ok(`released ${id}\n`));
    expect(lamella(['sweep'])).toEqual(ok('Nothing to clean up.\n'));
  });

  test('--explain prints the calls, and makes none', () => {
    const { stdout } = lamella(['run', '--explain', 'busybox', 'true']);
    expect(stdout).toMatch(hasOverlayUppers() ? /mount\("overlay", / : /fsopen\("fuse", .*\n {2}execve\("[^"]*\/fuse-overlayfs"/s);
    expect(stdout).toMatch(
      /^(?:unshare\(.*?)?umask\(022\)\nopenat\(AT_FDCWD, .*\n.*pivot_root\("\.", "\."\).*execve\("\/bin\/true", \["true"\], \[.*when it has ended.*unlinkat\(/s,
    );
    expect(readdirSync(at.join('store/containers')).filter((name) => !name.startsWith('.'))).toEqual([]);
  });

  test.for(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const)('%s reaches the command', async (signal) => {
    const script = `trap 'echo got; exit 5' ${signal.slice(3)}; echo ready; while :; do sleep 0.01; done`;
    const child = spawn(process.execPath, [CLI, 'run', 'busybox', 'sh', '-c', script], {
      env: { ...process.env, LAMELLA_ROOT: at.join('store') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
      if (String(chunk) === 'ready\n') child.kill(signal);
    });
    const [status] = (await once(child, 'close')) as [number];
    expect([status, output]).toEqual([5, 'ready\ngot\n']);
  });

  test('asking three times kills what does not listen', async () => {
    const child = spawn(process.execPath, [CLI, 'run', 'busybox', 'sh', '-c', 'echo ready; while :; do sleep 0.01; done'], {
      env: { ...process.env, LAMELLA_ROOT: at.join('store') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const exit = once(child, 'exit');
    await once(child.stdout, 'data');
    for (let i = 0; i < 3; i++) {
      child.kill('SIGTERM');
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    const [status] = (await exit) as [number];
    expect(status).toBe(137);
  });

  test('a reader that goes away ends it quietly', async () => {
    const child = spawn('sh', ['-c', `"${process.execPath}" "${CLI}" run busybox yes | head -1`], {
      env: { ...process.env, LAMELLA_ROOT: at.join('store') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = (await Array.fromAsync(child.stdout)).join('');
    expect(output).toBe('y\n');
    expect((await Array.fromAsync(child.stderr)).join('')).not.toContain('lamella');
  });
});

describe('images', () => {
  test('are imported from stdin and files of any compression, listed and removed', () => {
    expect(lamella(['import', '-', 'from-stdin:v1'], { stdio: [openSync(busyboxArchive(), 'r'), 'pipe', 'pipe'] })).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^from-stdin:v1 sha256:/),
    });
    const table = lamella(['images']).stdout;
    expect(table).toMatch(
      /^NAME +TAG +DIGEST +CREATED +SIZE +SHARED +UNIQUE\nbusybox +latest +[0-9a-f]{12} +(?:.* ago|just now) +[\d.]+ MB +[\d.]+ MB +\d+ B\nfrom-stdin +v1/,
    );
    expect(JSON.parse(lamella(['images', '--json']).stdout)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'from-stdin', tag: 'v1', size: expect.any(Number), layers: [expect.stringMatching(/^sha256:/)] }),
      ]),
    );
    expect(lamella(['rmi', 'from-stdin:v1'])).toEqual(ok('removed from-stdin:v1\n'));
    expect(lamella(['rmi', 'nothing', 'of-this'])).toMatchObject({ status: 125, stderr: expect.stringMatching(/'nothing:latest'.*'of-this:latest'/s) });
  });

  test('are tagged, saved and loaded elsewhere, by file and by pipe', () => {
    expect(lamella(['tag', 'busybox', 'moved:v2'])).toEqual(ok(''));
    expect(lamella(['save', 'busybox', 'moved:v2', '-o', at.join('saved.tar')])).toEqual(ok(''));
    const elsewhere = cli(at.join('elsewhere'));
    expect(elsewhere(['load', at.join('saved.tar')]).stdout).toMatch(/^busybox:latest moved:v2 sha256:[0-9a-f]{64} \(1 layers, 1 new\)\n$/);
    expect(elsewhere(['run', 'moved:v2', 'echo', 'from', 'elsewhere'])).toEqual(ok('from elsewhere\n'));
    const piped = cli(at.join('piped'));
    expect(piped(['load', '-q'], { stdio: [openSync(at.join('saved.tar'), 'r'), 'pipe', 'pipe'] }).stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect(lamella(['rmi', 'moved:v2'])).toEqual(ok('removed moved:v2\n'));
  });

  test('are listed in words of ones own, and looked into', () => {
    expect(lamella(['images', '--format', '{{.Name}}|{{.Tag}}'])).toEqual(ok('busybox|latest\n'));
    expect(lamella(['images', '--digests']).stdout).toMatch(/ sha256:[0-9a-f]{64} /);
    expect(lamella(['images', '-q']).stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect(JSON.parse(lamella(['images', '--format', 'json']).stdout)).toMatchObject({ Repository: 'busybox', Tag: 'latest', SharedSize: '0 B' });
    expect(lamella(['images', '--format', '{{.Nothing}}'])).toMatchObject({ status: 125, stderr: expect.stringContaining("can't evaluate field .Nothing") });
    expect(JSON.parse(lamella(['image', 'inspect', 'busybox']).stdout)).toMatchObject({
      Names: ['busybox:latest'],
      Config: { os: 'linux' },
      Layers: [{ entries: expect.any(Number) }],
    });
    expect(lamella(['image', 'history', 'busybox']).stdout).toMatch(/^LAYER +CREATED +SIZE +CREATED BY\n[0-9a-f]{12} .* lamella import\n$/);
    expect(lamella(['image', 'prune'])).toEqual(ok('Removed 0 layers and 0 blobs.\n'));
    expect(lamella(['system', 'df']).stdout).toMatch(/docker\.io\/library\/busybox:latest +[\d.]+ MB/);
  });

  test('are verified, and mended where they can be', () => {
    const elsewhere = cli(at.join('checked'));
    elsewhere(['import', busyboxArchive(), 'sound']);
    expect(elsewhere(['system', 'check'])).toMatchObject({ status: 0, stdout: expect.stringContaining('no problems') });
    const layers = at.join('checked/layers');
    const meta = `${layers}/${readdirSync(layers)[0]}/meta.json`;
    writeFileSync(meta, readFileSync(meta, 'utf8').replace(/"bootId":"[^"]*"/, '"bootId":"another"'));
    expect(elsewhere(['system', 'check'])).toMatchObject({
      status: 125,
      stdout: expect.stringContaining('may not have reached the disk'),
      stderr: expect.stringContaining('--repair'),
    });
    expect(elsewhere(['system', 'check', '--repair'])).toMatchObject({ status: 0, stdout: expect.stringContaining('unpacked anew') });
    expect(elsewhere(['system', 'check'])).toMatchObject({ status: 0 });
    const [digest] = JSON.parse(elsewhere(['image', 'inspect', 'sound']).stdout).Layers.map(({ blob }: { blob: { digest: string } }) => blob.digest);
    writeFileSync(at.join('checked/images/blobs', digest.replace(':', '/')), 'damaged');
    // Its files are whole: it can be run, but not saved or pushed.
    expect(elsewhere(['system', 'check', '--repair'])).toMatchObject({ status: 125, stderr: expect.stringContaining('lamella pull sound:latest') });
    expect(elsewhere(['run', 'sound', 'true'])).toMatchObject({ status: 0 });
    expect(elsewhere(['system', 'check', '--force'])).toMatchObject({ status: 0, stdout: expect.stringContaining('its name was taken away') });
    expect(elsewhere(['system', 'check'])).toMatchObject({ status: 0 });
    expect(JSON.parse(elsewhere(['images', '--json']).stdout)).toEqual([]);
  });

  test('a store without any says what to do', () => {
    const empty = cli(at.join('empty-store'));
    expect(empty(['images'])).toEqual({ status: 0, stdout: '', stderr: expect.stringContaining('lamella pull NAME') });
    expect(empty(['images', '--json'])).toEqual(ok('[]\n'));
    expect(existsSync(at.join('empty-store'))).toBe(false);
  });
});

describe('help', () => {
  test('lists the commands, and shows flags and examples of each', () => {
    const top = lamella(['--help']);
    expect(top.status).toBe(0);
    for (const command of [
      'run',
      'pull',
      'push',
      'import',
      'load',
      'save',
      'images',
      'tag',
      'rmi',
      'login',
      'logout',
      'sweep',
      'doctor',
      'autocomplete',
      'ps',
      'exec',
      'logs',
      'cp',
    ])
      expect(top.stdout).toContain(`  ${command}`);
    for (const args of [
      ['run', '--help'],
      ['run', '-it', '--help'],
      ['help', 'run'],
    ]) {
      const { status, stdout } = lamella(args);
      expect(status).toBe(0);
      expect(stdout).toMatch(/USAGE\n.*run \[OPTIONS\] IMAGE \[COMMAND \[ARG…\]\].*--env-file.*EXAMPLES.*run -it busybox sh/s);
    }
    expect(lamella(['ps', '-h'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^List containers/) });
    // With Docker it is the host name here.
    expect(lamella(['run', '-h'])).toMatchObject({ status: 125, stdout: '', stderr: expect.stringMatching(/^lamella: flag needs an argument: -h\n/) });
    expect(lamella(['run', '-h', 'box', 'busybox', 'hostname'])).toEqual(ok('box\n'));
    expect(lamella(['--version']).stdout).toMatch(/^lamella\/0\./);
  });

  test('completion is there for three shells', () => {
    const fish = lamella(['autocomplete', 'fish']).stdout;
    expect(fish).toMatch(/complete -c lamella -n '__fish_seen_subcommand_from run' -l network -r -f -a 'none host pasta'/);
    lamella(['create', '--name', 'completed', 'busybox', 'true']);
    const script = lamella(['autocomplete', 'bash']).stdout;
    const asked = (...words: string[]): string => `COMP_WORDS=(lamella ${words.join(' ')}) COMP_CWORD=${words.length}; _lamella; echo "\${COMPREPLY[*]}"`;
    const answers = execFileSync(
      'bash',
      [
        '-c',
        `lamella() { ${process.execPath} ${CLI} "$@"; }\n${script}\n${asked('sto')}\n${asked('rm', 'compl')}\n${asked('rmi', 'busy')}\n${asked('logs', '--fol')}`,
      ],
      {
        encoding: 'utf8',
        env: { ...process.env, LAMELLA_ROOT: at.join('store') },
      },
    );
    expect(answers).toBe('stop\ncompleted\nbusybox busybox:latest\n--follow\n');
    lamella(['rm', 'completed']);
    for (const shell of ['bash', 'zsh', 'fish']) expect(lamella(['autocomplete']).stdout).toContain(`${shell}, `);
  });
});

test('doctor tries what a run needs and tells of it', () => {
  const { status, stdout } = lamella(['doctor']);
  expect(stdout).toMatch(/^CHECK +STATE +DETAILS\nkernel +ok +Linux/);
  expect(status).toBe(0);
  const findings = JSON.parse(lamella(['doctor', '--json']).stdout) as { subject: string; state: string }[];
  expect(findings.map(({ subject }) => subject)).toEqual([
    'kernel',
    'interpreter',
    'namespaces',
    'sub-ids',
    'store',
    'overlay',
    'fuse',
    ...(hasOtherIds() ? ['mapped ids'] : []),
    'seccomp',
    'cgroup',
    'pasta',
    'xz',
  ]);
  const broken = lamella(['doctor'], { env: { LAMELLA_INIT: '/bin/false' } });
  expect(broken.status).toBe(125);
  expect(broken.stdout).toMatch(/interpreter +BROKEN/);
  expect(lamella(['doctor', '--root', '/proc/nowhere']).stdout).toMatch(/store +BROKEN +.*cannot be made: ENOENT/);
});

test('nothing is left of all that', () => {
  expect(readdirSync(at.join('store/containers')).filter((name) => !name.startsWith('.'))).toEqual([]);
  expect(mountsBelow(at.path)).toEqual([]);
});

test('what Node keeps of the program is where nobody else can write', () => {
  const [mine, temporary] = [at.join('mine'), at.join('temporary')];
  for (const each of [mine, temporary]) mkdirSync(each);
  const env = { XDG_CACHE_HOME: mine, TMPDIR: temporary };
  expect(lamella(['run', 'busybox', 'true'], { env })).toEqual(ok(''));
  // The compile cache of one version of Node, and the records of runs.
  expect(readdirSync(path.join(mine, 'lamella')).sort()).toEqual(['replay', expect.stringMatching(/^v24/)]);
  chmodSync(mine, 0o777);
  rmSync(path.join(mine, 'lamella'), { recursive: true });
  expect(lamella(['run', 'busybox', 'true'], { env })).toEqual(ok(''));
  expect([readdirSync(mine), readdirSync(temporary)]).toEqual([[], []]);
  // Services of root's have no home.
  const script = `require(${JSON.stringify(path.join(path.dirname(CLI), '../dist/compile-cache.cjs'))}); console.log(require('node:module').getCompileCacheDir())`;
  const chosen = (also: NodeJS.ProcessEnv): string => spawnSync(process.execPath, ['-e', script], { env: also, encoding: 'utf8' }).stdout.trim();
  const before = existsSync('/var/cache/lamella');
  expect(chosen({ TMPDIR: temporary })).toMatch(process.geteuid?.() === 0 ? /^\/var\/cache\/lamella\// : /^undefined$/);
  if (!before && isRoot()) rmSync('/var/cache/lamella', { recursive: true, force: true });
});

test('nothing of Node is left of a run that waits', async () => {
  const child = spawn(process.execPath, [CLI, 'run', 'busybox', 'sh', '-c', 'echo ready; exec sleep 1000'], {
    env: { ...process.env, LAMELLA_ROOT: at.join('store') },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  expect(status).toMatch(/^Name:\tlamella\n/);
  expect(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1])).toBeLessThan(1000);
  const ended = once(child, 'close');
  // Its init has no handler: who asks three times means it.
  for (let i = 0; i < 3; i++) {
    child.kill();
    await sleep(50);
  }
  expect((await ended)[0]).toBe(137);
});
