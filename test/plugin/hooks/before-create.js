import { appendFileSync } from 'node:fs';

/** A hook that throws is the end of the command: nothing has been made. */
export default async function beforeCreate({ spec }) {
  appendFileSync(process.env.EXAMPLE_LOG, `before_create ${spec.image} ${JSON.stringify(spec.args)}\n`);
  if (spec.args?.[0] === 'forbidden') throw new Error('the example plugin lets nobody run that');
}
