import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseUser, resolveUser, type User } from './user-rules.js';

const entries = (text: string): string[][] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(':'));

const PASSWD = `root:x:0:0:root:/root:/bin/sh
1000:x:0:0::/root:/bin/sh
4294967296:x:0:0::/root:/bin/sh
app:x:1000:1001:App:/srv/app:/bin/sh
app:x:5:5:a second one::
twin:x:1000:7::/twin:
-1:x:0:0:::
short:x:1002
empty:x:1003::::
 blank:x:1004:1004:::
odd:x:what:0:::
wide:x:4294967295:0:::
oddgroup:x:1005:what:::
widegroup:x:1006:4294967296:::
none:x::0:::
0x10:x:1007:1007:::`;
const GROUP = `root:x:0:
app:x:1001:
wheel:x:10:root,app
wheel:x:11:nobody
audio:x:29:app,twin\r
1001:x:0:
0:x:77:
odd:x:what:app
own:x:1001:app
twice:x:10:app`;

/** What is asked for, and what it is: `uid gid groups`, or the code of why not. */
const TABLE: readonly (readonly [asked: string, found: string])[] = [
  ['', '0 0 10'],
  [':', '0 0 10'],
  ['0', '0 0 10'],
  ['root', '0 0 10'],
  ['root:', '0 0 10'],
  ['app', '1000 1001 10,29'],
  ['app:', '1000 1001 10,29'],
  // By the number, with the groups of the first who has it.
  ['1000', '1000 1001 10,29'],
  ['1000:', '1000 1001 10,29'],
  ['+1000', '1000 1001 10,29'],
  ['01000', '1000 1001 10,29'],
  ['1000:1000', '1000 1000 '],
  ['1000:0', '1000 0 '],
  ['app:1001', '1000 1001 '],
  ['app:wheel', '1000 10 '],
  ['app:own', '1000 1001 '],
  [':1000', '0 1000 '],
  [':wheel', '0 10 '],
  ['twin', '1000 7 29'],
  ['4242', '4242 0 '],
  ['4242:4343', '4242 4343 '],
  ['4242:app', '4242 1001 '],
  ['short', '1002 0 '],
  ['1002', '1002 0 '],
  ['empty', '1003 0 '],
  ['blank', '1004 1004 '],
  ['0x10', '1007 1007 '],
  ['2147483648', '2147483648 0 '],
  ['4294967294:4294967294', '4294967294 4294967294 '],
  ['-0', '0 0 10'],
  ['1000:-0', '1000 0 '],
  // What moby takes for 0, which is root.
  ['odd', 'USER_NOT_FOUND'],
  ['none', 'USER_NOT_FOUND'],
  ['wide', 'USER_NOT_FOUND'],
  ['oddgroup', 'USER_NOT_FOUND'],
  ['1005', 'USER_NOT_FOUND'],
  ['1005:5', '1005 5 '],
  ['widegroup', 'USER_NOT_FOUND'],
  ['app:odd', 'GROUP_NOT_FOUND'],
  ['-1', 'USER_INVALID'],
  ['1000:-1', 'USER_INVALID'],
  ['4294967295', 'USER_INVALID'],
  ['4294967296', 'USER_INVALID'],
  ['0:4294967296', 'USER_INVALID'],
  ['99999999999999999999', 'USER_INVALID'],
  ['-99999999999999999999', 'USER_INVALID'],
  ['a:b:c', 'USER_INVALID'],
  ['::', 'USER_INVALID'],
  ['1000:1000:', 'USER_INVALID'],
  ['nobody-here', 'USER_NOT_FOUND'],
  ['0:nogroup-here', 'GROUP_NOT_FOUND'],
  ['0x0', 'USER_NOT_FOUND'],
  ['1e3', 'USER_NOT_FOUND'],
  [' 0', 'USER_NOT_FOUND'],
  ['0 ', 'USER_NOT_FOUND'],
  [' ', 'USER_NOT_FOUND'],
  ['+', 'USER_NOT_FOUND'],
  ['--1', 'USER_NOT_FOUND'],
  ['１０００', 'USER_NOT_FOUND'],
];

const told = (asked: string, passwd: readonly (readonly string[])[], group: readonly (readonly string[])[]): string => {
  try {
    const { uid, gid, groups } = resolveUser(asked, passwd, group);
    return `${uid} ${gid} ${groups.join()}`;
  } catch (error) {
    return String((error as { code?: string }).code);
  }
};

test.for(TABLE)("'%s' is %s", ([asked, found]) => expect(told(asked, entries(PASSWD), entries(GROUP))).toBe(found));

test.for([
  ['1000', '1000 0 '],
  ['', '0 0 '],
  ['root', 'USER_NOT_FOUND'],
  ['0:root', 'GROUP_NOT_FOUND'],
] as const)("without files '%s' is %s", ([asked, found]) => expect(told(asked, [], [])).toBe(found));

describe('whatever the files say', () => {
  const field = fc.constantFrom('', '0', '1', '1000', '1001', 'root', 'app', 'x', '-1', '+1', '4294967295', '4294967296', '99999999999999999999', ' 1', '0x0');
  const file = fc.array(fc.array(field, { minLength: 1, maxLength: 7 }), { maxLength: 6 });
  const members = fc.array(field, { maxLength: 3 }).map((each) => each.join());
  const groups = fc.array(
    fc.tuple(field, field, field, members).map((each) => [...each]),
    { maxLength: 6 },
  );
  const asked = fc.oneof(
    field,
    fc.tuple(field, field).map((each) => each.join(':')),
    fc.integer().map(String),
  );
  const isNumber = (part: string): boolean => /^[+-]?\d+$/.test(part);

  test('a number that is asked for is that number, and ids are ids', () => {
    fc.assert(
      fc.property(asked, file, groups, (text, passwd, group) => {
        let user: User;
        try {
          user = resolveUser(text, passwd, group);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^(?:USER|GROUP)_/), hint: expect.any(String) });
          return;
        }
        const [who = '', which = ''] = text.split(':');
        if (isNumber(who)) expect(user.uid).toBe(Number(who) + 0);
        if (isNumber(which)) expect(user.gid).toBe(Number(which) + 0);
        for (const id of [user.uid, user.gid, ...user.groups]) expect(Number.isInteger(id) && id >= 0 && id < 0xffffffff).toBe(true);
        expect(user.groups).not.toContain(user.gid);
      }),
      { numRuns: process.env.LAMELLA_LONG ? 100_000 : 2000 },
    );
  });

  test("where ids are numbers it is moby's user", () => {
    const id = fc.constantFrom('0', '1', '01', '7', '1000', '1001', '4294967294');
    const sound = fc.array(
      fc.tuple(field, field, id, fc.oneof(id, fc.constant(''))).map((each) => [...each]),
      { maxLength: 6 },
    );
    const soundGroups = fc.array(
      fc.tuple(field, field, id, members).map((each) => [...each]),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(asked, sound, soundGroups, (text, passwd, group) => {
        const found = told(text, passwd, group);
        if (found === 'USER_INVALID') expect(text).toMatch(/\d/);
        else expect(found).toBe(mobysUser(text, passwd, group));
      }),
      { numRuns: process.env.LAMELLA_LONG ? 100_000 : 2000 },
    );
  });
});

/** What moby/sys/user v0.4.1 does with sound files, except for its limit of 2^31, and without the primary group, which moby's daemon adds. */
function mobysUser(text: string, passwd: readonly (readonly string[])[], group: readonly (readonly string[])[]): string {
  const { user, group: explicit } = parseUser(text);
  const fits = (which: typeof user) => (fields: readonly string[]) => ('id' in which ? Number(fields[2]) === which.id : fields[0]?.trim() === which.name);
  const record = passwd.find(fits(user));
  if (!record && 'name' in user) return 'USER_NOT_FOUND';
  const uid = record ? Number(record[2]) : 'id' in user && user.id;
  if (explicit) {
    const entry = group.find(fits(explicit));
    if (!entry && 'name' in explicit) return 'GROUP_NOT_FOUND';
    return `${uid} ${entry ? Number(entry[2]) : 'id' in explicit && explicit.id} `;
  }
  const gid = Number(record?.[3] ?? 0);
  const own = record?.[0]?.trim();
  const supplementary = own ? group.filter((fields) => fields[3]?.split(',').includes(own)).map((fields) => Number(fields[2])) : [];
  return `${uid} ${gid} ${[...new Set(supplementary)].filter((each) => each !== gid).join()}`;
}

test('groups are counted while they are read: there can be no more than Linux gives a process', () => {
  let read = 0;
  const endless = {
    find: () => ['app', 'x', '1000', '1000', '', '/'],
    *filter() {
      for (;;) yield ['g', 'x', String(read++), 'app'];
    },
  };
  expect(() => resolveUser('app', endless, endless)).toThrow(expect.objectContaining({ code: 'USER_GROUPS', message: expect.stringContaining('65536') }));
  expect(read).toBeLessThan(65_600);
});
