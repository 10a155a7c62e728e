import type { SlotAllocator } from '@lamella/syscall';

/** Beside what is in slots, a program has at most so many descriptors open: its own, and those that it was given. */
const BESIDE_SLOTS = 500;

/**
 * Returns the first of the numbers that descriptors get so that a string can name them. A descriptor is put there whatever has the number, so it is
 * above all that can be open: each slot that was given out holds one at most, and the kernel gives the lowest that is free.
 */
export const firstNamed = (slots: SlotAllocator): number => slots() + BESIDE_SLOTS;
