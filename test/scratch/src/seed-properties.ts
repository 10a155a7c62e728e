import fc from 'fast-check';
import { SEED } from './sample.js';

// Vitest loads this before each file of tests. A short run is about the change that it is run for: its properties have the same cases
// every time. Other cases come with LAMELLA_SEED, or in the long form.
if (process.env.LAMELLA_LONG === undefined || process.env.LAMELLA_SEED !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: SEED });
