import { describe } from 'vitest';
import { comparePlans } from './plans.test.cases.js';

describe('what the kernel is asked for root', () => comparePlans(0));
