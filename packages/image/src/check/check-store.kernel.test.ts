import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { tarArchive } from '@lamella-test/tree';
import { expect, test } from 'vitest';
import { ImageStore, shortReference } from '../index.js';
import { REF_NAME } from '../store/store-index.js';

interface Index {
  readonly manifests: { readonly annotations: Record<string, string> }[];
  annotations?: Record<string, string>;
}

async function storeWithImage(at: ScratchDirectory): Promise<ImageStore> {
  writeFileSync(at.join('image.tar'), tarArchive([{ name: 'file', data: 'content' }]));
  const store = new ImageStore(at.join('store'));
  await store.import(at.join('image.tar'), 'app');
  return store;
}

async function names(store: ImageStore): Promise<string[]> {
  return (await store.list()).map(({ reference }) => shortReference(reference)).toSorted();
}

function editIndex(at: ScratchDirectory, edit: (index: Index) => void): void {
  const file = at.join('store/images/index.json');
  const index = JSON.parse(readFileSync(file, 'utf8')) as Index;
  edit(index);
  writeFileSync(file, JSON.stringify(index));
}

function addName(index: Index): void {
  const [first] = index.manifests as [Index['manifests'][number]];
  index.manifests.push({ ...first, annotations: { [REF_NAME]: 'docker.io/library/added:latest' } });
}

test('a repair keeps the names of an index without a seal, and seals it', async () => {
  await using at = scratch();
  const store = await storeWithImage(at);
  editIndex(at, (index) => {
    delete index.annotations;
    addName(index);
  });
  const { problems } = await store.check({ repair: true });
  expect(problems.map(({ what, repaired }) => [what === at.join('store/images/index.json'), repaired])).toEqual([[false, 'written anew from the index']]);
  expect(await names(store)).toEqual(['added:latest', 'app:latest']);
  expect(JSON.parse(readFileSync(at.join('store/images/index.json'), 'utf8'))).toHaveProperty('annotations');
  expect((await store.check()).problems).toEqual([]);
});

test.for<[string, (index: Index) => void]>([
  ['does not match its seal', addName],
  [
    'has no seal and an entry that cannot be read',
    (index) => {
      delete index.annotations;
      index.manifests.push({ digest: 'none' } as never);
    },
  ],
])('an index that %s is written anew from its copy', async ([, edit]) => {
  await using at = scratch();
  const store = await storeWithImage(at);
  editIndex(at, edit);
  expect((await store.check({ repair: true })).problems).toMatchObject([{ what: at.join('store/images/index.json'), repaired: 'written anew from its copy' }]);
  expect(await names(store)).toEqual(['app:latest']);
});

test('notes of a layer without a seal are sound', async () => {
  await using at = scratch();
  const store = await storeWithImage(at);
  const [layer = ''] = readdirSync(at.join('store/layers'));
  const file = at.join('store/layers', layer, 'meta.json');
  const { sum: _, ...meta } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify(meta));
  expect((await store.check({ quick: true })).problems).toEqual([]);
});
