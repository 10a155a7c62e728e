import { appendFileSync } from 'node:fs';

export default async function afterStart({ id }) {
  appendFileSync(process.env.EXAMPLE_LOG, `after_start ${/^[\da-f]+$/.test(id)}\n`);
}
