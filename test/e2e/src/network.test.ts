import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { requiresProgram, skip, until } from '@lamella-test/scratch';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLI } from './cli.js';
import { fails, type TestUser, USERS } from './test-user.js';
import { useUser } from './user-fixture.js';

const TUN = '/dev/net/tun';
/** An address of the host that is not its loopback's; pasta gives it to the container, too. */
const own = Object.values(networkInterfaces())
  .flat()
  .find((each) => each?.family === 'IPv4' && !each.internal);
const hasRoute = /^\w+\t00000000\t/m.test(readFileSync('/proc/net/route', 'latin1'));
/** Every process called so. Other tests may have some, for moments. */
const pastas = (): number[] => spawnSync('pgrep', ['-f', 'pasta --foreground'], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean).map(Number);

function descendsFrom(pid: number, ancestor: number): boolean {
  for (let at = pid; at > 1; ) {
    if (at === ancestor) return true;
    const status = existsSync(`/proc/${at}`) ? readFileSync(`/proc/${at}/status`, 'latin1') : '';
    at = Number(/^PPid:\t(\d+)$/m.exec(status)?.[1] ?? 0);
  }
  return false;
}

describe.for(Object.keys(USERS) as (keyof typeof USERS)[])('pasta connects containers of %s', (name) => {
  const user = useUser(name, [TUN, '/dev/fuse']);
  let server: Server;
  let port: number;
  const { succeeds: lamella } = user;

  beforeAll(async () => {
    server = createServer((_, response) => response.end('served by the host\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(async () => {
    server.close();
  });
  beforeEach((context) => {
    requiresProgram(context, 'pasta');
    if (!existsSync(TUN)) skip(context, `there is no ${TUN}`);
    if (!own || !hasRoute) skip(context, 'the host has no default route, without which pasta does not start');
  });
  afterEach(async () => {
    await until(() => !pastas().length);
  });

  test('with the address of the host, and with nothing of its loopback', () => {
    const script = `ip -4 -o addr show dev $(ls /sys/class/net | grep -v lo | head -1); cat /etc/resolv.conf | head -1; for to in 127.0.0.1 $(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p'); do wget -T 2 -q -O - http://$to:${port}/ 2>&1; done; ip link set lo down 2>&1`;
    const output = lamella('run', '--network', 'pasta', 'busybox', 'sh', '-c', `${script}; true`);
    expect(output).toContain(`inet ${own?.address}/`);
    expect(output).toContain('nameserver 169.254.1.1');
    expect(output).not.toContain('served by the host');
    // Its network is not its own to configure, unless it is given that.
    expect(output).toContain('Operation not permitted');
    expect(lamella('run', '--network', 'pasta', '--cap-add', 'NET_ADMIN', 'busybox', 'sh', '-c', 'ip link set lo down && echo down')).toBe('down');
  });

  test('to the host by published ports, life after life', async () => {
    const publish = `127.0.0.1:${port + 1}:80`;
    const script = 'mkdir -p /w; echo served > /w/index.html; exec httpd -f -p 80 -h /w';
    lamella('run', '-d', '--name', 'web', '--network', 'pasta', '-p', publish, 'busybox', 'sh', '-c', script);
    const fetched = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port + 1}/index.html`)).text();
    user.run('curl', ['-s', '--retry', '5', '--retry-connrefused', '--retry-delay', '1', `http://127.0.0.1:${port + 1}/index.html`]).stdout;
    const [{ HostConfig: host }] = JSON.parse(lamella('inspect', 'web'));
    expect(host).toMatchObject({ NetworkMode: 'pasta', PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: `${port + 1}` }] } });
    expect(lamella('exec', 'web', 'sh', '-c', 'until wget -q -O - http://127.0.0.1/; do sleep 0.05; done 2>/dev/null')).toBe('served');
    expect(await fetched()).toBe('served\n');
    // A port is one container's.
    expect(fails(user, ['run', '--network', 'pasta', '-p', publish, 'busybox', 'true'])).toMatch(/pasta could not connect.*published ports that are free/s);
    lamella('restart', '-t', '0', 'web');
    expect(lamella('exec', 'web', 'sh', '-c', 'until wget -q -O - http://127.0.0.1/; do sleep 0.05; done 2>/dev/null')).toBe('served');
    expect(await fetched()).toBe('served\n');
    lamella('rm', '-f', 'web');
  });

  test('by ports below 1024, where that is allowed', async () => {
    const low = 700 + (port % 300);
    const args = ['--network', 'pasta', '-p', `127.0.0.1:${low}:80`, 'busybox'];
    if (name !== 'root') {
      expect(fails(user, ['run', ...args, 'true'])).toMatch(/pasta could not connect/);
      return;
    }
    lamella('run', '-d', '--name', 'low', ...args, 'sh', '-c', 'mkdir -p /w; echo low > /w/index.html; exec httpd -f -p 80 -h /w');
    expect(lamella('port', 'low')).toBe(`80/tcp -> 127.0.0.1:${low}`);
    expect(lamella('exec', 'low', 'sh', '-c', 'until wget -q -O - http://127.0.0.1/; do sleep 0.05; done 2>/dev/null')).toBe('low');
    expect(await (await fetch(`http://127.0.0.1:${low}/index.html`)).text()).toBe('low\n');
    // It has no right on the host any more: it is in the namespace of its network.
    for (const pid of pastas().filter((each) => existsSync(`/proc/${each}`)))
      if (readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`127.0.0.1/${low}:80`))
        expect(readlinkSync(`/proc/${pid}/ns/user`)).not.toBe(readlinkSync('/proc/self/ns/user'));
    lamella('rm', '-f', 'low');
  });

  test('and ends with them; without it they are ended', async () => {
    const child = user.spawn(process.execPath, [CLI, 'run', '--network', 'pasta', 'busybox', 'sleep', '1000']);
    const ended = new Promise<number | null>((resolve) => child.once('exit', (status) => resolve(status)));
    const ours = (): number[] => pastas().filter((pid) => descendsFrom(pid, child.pid ?? 0));
    await until(() => ours().length > 0);
    for (const pid of ours()) process.kill(pid, 'SIGKILL');
    expect(await ended).toBe(125);
  });

  test('only where that was asked for', () => {
    expect(user.lamella(['run', '-p', '80:80', 'busybox', 'true'])).toMatchObject({ status: 125, stderr: expect.stringContaining('--network pasta') });
    expect(user.lamella(['run', '--network', 'host', '-p', '80:80', 'busybox', 'true'])).toMatchObject({
      status: 125,
      stderr: expect.stringContaining('Remove --publish'),
    });
    for (const wrong of ['0:80', '80:70000', 'host:80', '1.2.3:80:80', '80/sctp', '300.1.1.1:80:80'])
      expect(user.lamella(['run', '--network', 'pasta', '-p', wrong, 'busybox', 'true'])).toMatchObject({
        status: 125,
        stderr: expect.stringContaining(`invalid port '${wrong}'`),
      });
  });

  test('a pasta that cannot be executed is no command that is not found', () => {
    const bin = user.at.join('bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(`${bin}/pasta`, '#!/no/such/interpreter\n', { mode: 0o755 });
    const { status, stderr } = user.lamella(['run', '--network', 'pasta', 'busybox', 'true'], { PATH: `${bin}:${process.env.PATH}` });
    expect({ status, stderr }).toMatchObject({ status: 125, stderr: expect.stringMatching(/^lamella: pasta could not connect/) });
  });

  test('and whoever runs in them', () => {
    const reached = 'id -u; ip -4 -o addr show | grep -vc 127.0.0.1';
    if (name !== 'an ordinary user') expect(lamella('run', '-u', '1000:1000', '--network', 'pasta', 'busybox', 'sh', '-c', reached)).toBe('1000\n1');
    const keeping = ['run', '--userns', 'keep-id', '--network', 'pasta', 'busybox', 'sh', '-c', reached];
    if (name === 'an ordinary user') expect(fails(user, keeping)).toMatch(/has one id only.*leave out one of the two options/s);
    if (name === 'an ordinary user with ids in /etc/subuid') expect(lamella(...keeping)).toBe(`${user.uid}\n1`);
  });

  test('doctor tries it', () => {
    const found = (run: TestUser['run']): unknown =>
      JSON.parse(run(process.execPath, [CLI, 'doctor', '--json']).stdout).find(({ subject }: { subject: string }) => subject === 'pasta');
    expect(found(user.run)).toEqual({ subject: 'pasta', state: 'ok', detail: expect.stringContaining('/pasta') });
  });
});
