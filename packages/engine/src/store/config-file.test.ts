import { writeFileSync } from 'node:fs';
import { scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import type { ContainerConfig } from '../model/container-config.js';
import { configProblem, formatConfig } from './config-file.js';

test('a config without a seal is sound; one that does not match its seal, or is torn, is damaged', async () => {
  await using at = scratch();
  const config = { version: 1, id: 'abc', image: 'app', spec: { image: 'app' }, user: { uid: 0, gid: 0 } } as unknown as ContainerConfig;
  const sealed = formatConfig(config);
  const problemOf = (text: string): string | undefined => {
    writeFileSync(at.join('config.json'), text);
    return configProblem(at.path);
  };
  expect(problemOf(sealed)).toBeUndefined();
  expect(problemOf(`${JSON.stringify(config)}\n`)).toBeUndefined();
  expect(problemOf(sealed.replace('app', 'apq'))).toBe('it is damaged: it is not what was written');
  expect(problemOf(sealed.slice(0, -3))).toBe('it is damaged: it is no config of a container');
});
