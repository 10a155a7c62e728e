import { containerTest } from '@lamella/vitest';
import { expect } from 'vitest';

// The database is a file here, and its migrations are scripts; think of your own.
const test = containerTest({
  image: 'busybox',
  async setup(container) {
    await container.sh('mkdir /db; echo "1 one" > /db/rows; echo 1 > /db/version');
  },
});

test('a fresh database is migrated', async ({ container }) => {
  expect(await container.sh('sed -i "s/ /,/" /db/rows && echo 2 > /db/version')).toMatchObject({ exitCode: 0 });
  expect((await container.sh('cat /db/version /db/rows')).stdout).toBe('2\n1,one');
});

// It does, and the report says what.
test('a bad migration leaves nothing half done', async ({ container }) => {
  await container.sh('sed -i "s/ /,/" /db/rows && false && echo 2 > /db/version');
  expect((await container.sh('cat /db/version /db/rows')).stdout).toBe('1\n1 one');
});
