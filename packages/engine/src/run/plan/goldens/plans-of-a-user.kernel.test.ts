import { describe } from 'vitest';
import { comparePlans } from './plans.test.cases.js';

// In a separate file, and so in a separate process: the ids of a user are looked up once in a process.
describe('what the kernel is asked for an ordinary user', () => comparePlans(65534));
