import { appendFileSync } from 'node:fs';

export default async function afterStart({ id }) {
  appendFileSync(process.env.EXAMPLE_LOG, `after_start ${/^[\da-f]+$/.test(id)}\n`);
  if (process.env.EXAMPLE_REFUSES === 'after_start') throw new Error('the example plugin does not like it running');
}
