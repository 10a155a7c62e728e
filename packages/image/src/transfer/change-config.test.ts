import { expect, test } from 'vitest';
import { changeConfig } from './change-config.js';

const BEFORE = { Entrypoint: ['old'], Cmd: ['inherited'] };

test('a new entrypoint takes the command of the old one away, and none that is given beside it', () => {
  expect(changeConfig(BEFORE, ['ENTRYPOINT ["cat"]'])).toMatchObject({ Entrypoint: ['cat'], Cmd: undefined });
  for (const changes of [
    ['CMD ["/new"]', 'ENTRYPOINT ["cat"]'],
    ['entrypoint ["cat"]', 'cmd ["/new"]'],
  ])
    expect(changeConfig(BEFORE, changes)).toMatchObject({ Entrypoint: ['cat'], Cmd: ['/new'] });
  expect(changeConfig(BEFORE, ['CMD ["/new"]'])).toMatchObject({ Entrypoint: ['old'], Cmd: ['/new'] });
});

test.each(['SIGTERM', 'term', '15', 'SIGRTMIN+3'])('STOPSIGNAL %s is one', (signal) => {
  expect(changeConfig({}, [`STOPSIGNAL ${signal}`])).toEqual({ StopSignal: signal });
});

test.each(['FOO', '0', '65', 'SIG'])('STOPSIGNAL %s is none', (signal) => {
  expect(() => changeConfig({}, [`STOPSIGNAL ${signal}`])).toThrow('STOPSIGNAL');
});

test('WORKDIR begins at the one before, as in a Dockerfile', () => {
  expect(changeConfig({}, ['WORKDIR app'])).toEqual({ WorkingDir: '/app' });
  expect(changeConfig({ WorkingDir: '/srv' }, ['WORKDIR app', 'WORKDIR ../b'])).toEqual({ WorkingDir: '/srv/b' });
  expect(changeConfig({ WorkingDir: 'rel' }, ['WORKDIR app'])).toEqual({ WorkingDir: '/rel/app' });
  expect(changeConfig({ WorkingDir: '/srv' }, ['WORKDIR /app'])).toEqual({ WorkingDir: '/app' });
});
