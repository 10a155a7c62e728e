import { afterEach, expect, test, vi } from 'vitest';
import { shellCommand, userShell } from './shell-command.js';

afterEach(() => vi.unstubAllEnvs());

test.each([[['make']], [['/bin/ls', '-l']], [['make', '&&', 'x']], [['./a-b_c.d']]])('%j stays as it is', (args) => {
  expect(shellCommand(args)).toEqual(args);
});

test.each(['make && make install', 'echo $HOME', 'ls *', 'a;b', "echo 'x'"])('%s is a line for the shell', (line) => {
  vi.stubEnv('SHELL', '/bin/sh');
  expect(shellCommand([line])).toEqual(['/bin/sh', '-c', line]);
});

test.each(['', 'sh', '/no/such/shell', '/usr/bin/fish', '/bin/csh'])("with SHELL='%s' the shell is /bin/sh", (shell) => {
  vi.stubEnv('SHELL', shell);
  expect(userShell()).toBe('/bin/sh');
});
