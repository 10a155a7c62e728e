import { describe } from 'vitest';
import { comparePlans } from './plans.test.cases.js';

// In a file, and so a process, of its own: who somebody is is looked up once.
describe('what the kernel is asked for an ordinary user', () => comparePlans(65534));
