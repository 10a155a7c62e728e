import { expect, test } from 'vitest';
import { proxyFor } from './proxy.js';

const PROXY = 'http://proxy.corp:3128';
const through = (url: string, environment: Record<string, string>): string | undefined => proxyFor(new URL(url), environment)?.href;

test.for<[string, Record<string, string>, string | undefined]>([
  ['https://r.io/v2/', { HTTPS_PROXY: PROXY }, `${PROXY}/`],
  ['https://r.io/v2/', { https_proxy: PROXY }, `${PROXY}/`],
  ['https://r.io/v2/', { HTTPS_PROXY: '', https_proxy: PROXY }, `${PROXY}/`],
  ['https://r.io/v2/', { HTTPS_PROXY: PROXY, https_proxy: 'http://other:1' }, `${PROXY}/`],
  ['https://r.io/v2/', { HTTP_PROXY: PROXY }, undefined],
  ['http://r.io/v2/', { HTTP_PROXY: PROXY }, `${PROXY}/`],
  ['http://r.io/v2/', { http_proxy: PROXY }, `${PROXY}/`],
  ['http://r.io/v2/', { HTTPS_PROXY: PROXY }, undefined],
  ['http://r.io/v2/', { HTTP_PROXY: PROXY, REQUEST_METHOD: 'GET' }, undefined],
  ['https://r.io/v2/', { HTTPS_PROXY: PROXY, REQUEST_METHOD: 'GET' }, `${PROXY}/`],
  ['https://r.io/v2/', { HTTPS_PROXY: 'proxy.corp:3128' }, `${PROXY}/`],
  ['https://r.io/v2/', { HTTPS_PROXY: 'https://u:p%40@proxy.corp' }, 'https://u:p%40@proxy.corp/'],
  ['https://r.io/v2/', { ALL_PROXY: PROXY }, undefined],
  ['https://localhost:5000/v2/', { HTTPS_PROXY: PROXY }, undefined],
  ['http://127.0.0.2:5000/v2/', { HTTP_PROXY: PROXY }, undefined],
  ['https://[::1]:5000/v2/', { HTTPS_PROXY: PROXY }, undefined],
])('%s with %o', ([url, environment, proxy]) => expect(through(url, environment)).toBe(proxy));

const EXCEPTIONS: readonly [string, string, boolean][] = [
  ['*', 'https://anything.io', true],
  ['a.io, *', 'https://anything.io', true],
  ['r.io', 'https://r.io', true],
  ['R.IO', 'https://r.io', true],
  ['r.io', 'https://R.io:5000', true],
  ['r.io', 'https://sub.r.io', true],
  ['r.io', 'https://other.io', false],
  ['r.io', 'https://bar.io', false],
  ['r.io', 'https://xr.io', false],
  ['.r.io', 'https://sub.r.io', true],
  ['.r.io', 'https://r.io', false],
  ['*.r.io', 'https://a.b.r.io', true],
  ['*.r.io', 'https://r.io', false],
  ['r.io:443', 'https://r.io', true],
  ['r.io:443', 'https://r.io:5000', false],
  ['r.io:5000', 'https://r.io:5000', true],
  ['.r.io:5000', 'https://x.r.io:5000', true],
  ['.r.io:5000', 'https://x.r.io', false],
  ['10.0.0.0/8', 'https://10.1.2.3', true],
  ['10.0.0.0/8', 'https://11.1.2.3', false],
  ['10.0.0.0/8', 'https://ten.io', false],
  ['10.0.0.1', 'https://10.0.0.1:5000', true],
  ['10.0.0.1:80', 'https://10.0.0.1:5000', false],
  ['10.0.0.1:5000', 'https://10.0.0.1:5000', true],
  ['10.0.0', 'https://10.0.0.1', false],
  ['0.0.1', 'https://10.0.0.1', false],
  ['fd00::/8', 'https://[fd12::1]:5000', true],
  ['fd00::/8', 'https://[fe80::1]', false],
  ['fd12::1', 'https://[fd12::1]:5000', true],
  ['[fd12::1]', 'https://[FD12:0::1]', true],
  ['[fd12::1]:5000', 'https://[fd12::1]:5000', true],
  ['[fd12::1]:5000', 'https://[fd12::1]', false],
  ['10.0.0.0/99', 'https://10.0.0.1', false],
  ['', 'https://r.io', false],
  [',,', 'https://r.io', false],
  [':5000', 'https://r.io:5000', false],
  ['a.io r.io', 'https://r.io', true],
];

test.for(EXCEPTIONS)('NO_PROXY=%s and %s: %s', ([list, url, excepted]) => {
  for (const name of ['NO_PROXY', 'no_proxy']) expect(through(url, { HTTPS_PROXY: PROXY, [name]: list })).toBe(excepted ? undefined : `${PROXY}/`);
});

test.for(['socks5://u:secret@h', 'http://', 'http://u:secret@h:99999', 'u:secret@ h', 'ftp://u:secret@h'])(
  '%s is no proxy, and its password is not shown',
  (proxy) => {
    for (const excepted of [true, false]) {
      const ask = (): unknown => through('https://r.io', { HTTPS_PROXY: proxy, NO_PROXY: excepted ? 'r.io' : '' });
      if (excepted) expect(ask()).toBeUndefined();
      else
        expect(ask).toThrow(
          expect.objectContaining({
            code: 'REGISTRY_PROXY',
            message: expect.stringMatching(/^HTTPS_PROXY (?!.*secret)/),
            hint: expect.stringContaining('NO_PROXY'),
          }),
        );
    }
  },
);
