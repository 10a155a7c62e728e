import { lstatSync } from 'node:fs';
import { readdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { AT, AT_FDCWD, ignoreMissing, type Program } from '@lamella/syscall';

/*
 * Names that containers are given when nobody names them are directories: `.given/NAME/ID`. Removing a container removes its ID there, and
 * then NAME if that is empty. So a removal cannot take a name that belongs to another container by now, and no lock is needed. If two
 * containers took a name in the same moment, it belongs to the one whose id sorts first.
 */

const ADJECTIVES =
  'able agile airy amber ample azure balmy bold brave breezy bright brisk calm candid careful cheery chilly civil clear clever cosy crisp curious ' +
  'daring deft dewy eager early earnest easy even fair fearless festive fine firm fleet fond frank free fresh frosty gentle giant glad golden good ' +
  'graceful grand green happy hardy hazel hearty hidden honest humble icy ideal jolly jovial just keen kind large late lavish light lively loyal lucid ' +
  'lucky lunar magic mellow merry mighty mild mindful misty modest mossy neat nimble noble open patient peaceful placid playful plucky polite proud ' +
  'prudent quick quiet rapid ready robust rosy round sandy serene sharp shiny silent silver simple sincere sleek smart snowy sober solar solid spry ' +
  'stable steady still stoic sturdy subtle sunny super swift tender thrifty tidy tiny tranquil trusty upbeat vast vivid warm watchful wide windy wise witty young';
const SURNAMES =
  'abel adleman agnesi alhazen ampere archimedes aryabhata avicenna babbage backus banach bardeen bell berners bernoulli bhabha bohr boole born bose boyle ' +
  'brahe braun bunsen cannon cantor carson cauchy celsius chandra chebyshev church clarke codd conway copernicus coulomb crick curie dalton darwin davy ' +
  'descartes diesel diffie dijkstra dirac doppler easley edison ehrlich einstein engelbart erdos euclid euler faraday fermat fermi feynman fibonacci ' +
  'fleming floyd fourier franklin fresnel galilei galois gauss germain gibbs godel goodall gutenberg halley hamilton hamming harvey hawking heaviside ' +
  'hellman herschel hertz hilbert hoare hodgkin hooke hopper hubble huffman humboldt huygens hypatia iverson jacobi jenner joule kahan kalam karp kay ' +
  'kelvin kepler khayyam kleene knuth kolmogorov lagrange lamarr landau laplace leakey leavitt leibniz lighthill linnaeus liskov lovelace lumiere mach ' +
  'mandelbrot marconi maxwell mayer mccarthy mcclintock meitner mendel mendeleev milner minsky mirzakhani moore morse napier nash naur neumann newton ' +
  'nightingale nobel noether nyquist ohm ostrom pascal pasteur pauli pauling payne penrose perlis planck poincare poisson ptolemy pythagoras ramanujan ' +
  'rayleigh ride riemann ritchie rivest rontgen rubin rutherford sagan salk sanger schrodinger seaborg shamir shannon siemens sinoussi snow somerville ' +
  'stokes strachey sutherland tarjan tesla thales thompson tomonaga torvalds turing venn villani viterbi volta wallace watt weierstrass wiles wilkes wing ' +
  'wirth wright wu yalow yonath yukawa zuse';

/** The two lists of words that a name is made of, each with spaces between them. */
export const NAME_WORDS: readonly [string, string] = [ADJECTIVES, SURNAMES];

const [FIRST, SECOND] = [ADJECTIVES.split(' '), SURNAMES.split(' ')];

/** Where the names are that were given to containers. */
export function givenNamesOf(containers: string): string {
  return path.join(containers, '.given');
}

/** What this process gave, which may not be taken yet: a pool plans many containers at once. */
const given = new Set<string>();

/** Returns a name that nobody has, such as `curious_noether`. */
export function generateName(containers: string): string {
  const any = (words: readonly string[]): string => words[Math.floor(Math.random() * words.length)] as string;
  for (let tries = 0; ; tries++) {
    // In a store where most are taken a number makes more of them.
    const name = `${any(FIRST)}_${any(SECOND)}${tries < 8 ? '' : Math.floor(Math.random() * 10 ** Math.min(6, tries - 6))}`;
    const taken = [path.join(givenNamesOf(containers), name), path.join(containers, '.names', name)].some(
      (each) => lstatSync(each, { throwIfNoEntry: false }) !== undefined,
    );
    if (taken || given.has(name)) continue;
    // Of those that were given long ago the directories tell.
    if (given.size >= 1000) given.clear();
    given.add(name);
    return name;
  }
}

/** Ops that give a name to a container whose directory is there. */
export function giveName(containers: string, name: string, id: string): Program {
  const directory = path.join(givenNamesOf(containers), name);
  // The directory may be removed in between, with the container that had the name: then this one is called by its id.
  return [directory, path.join(directory, id)].map((pathname, i) => ({
    op: 'mkdirat',
    dirfd: AT_FDCWD,
    pathname,
    mode: 0o700,
    ignore: i ? ['ENOENT'] : ['EEXIST'],
  }));
}

/** Ops that take the name of a container away, if it was given one. */
export function takeNameAway(containers: string, name: string, id: string): Program {
  const directory = path.join(givenNamesOf(containers), name);
  return [path.join(directory, id), directory].map((pathname) => ({
    op: 'unlinkat',
    dirfd: AT_FDCWD,
    pathname,
    flags: AT.REMOVEDIR,
    ignore: ['ENOENT', 'ENOTEMPTY', 'ENOTDIR'],
  }));
}

/** The ids of those that were given a name, the first of which has it. */
export async function idsOfGiven(containers: string, name: string): Promise<readonly string[]> {
  return ((await readdir(path.join(givenNamesOf(containers), name)).catch(ignoreMissing)) ?? []).toSorted();
}

/** Every name that was given. */
export async function givenNames(containers: string): Promise<readonly string[]> {
  return (await readdir(givenNamesOf(containers)).catch(ignoreMissing)) ?? [];
}

/** Takes a name from a container. */
export async function removeGiven(containers: string, name: string, id: string): Promise<void> {
  const directory = path.join(givenNamesOf(containers), name);
  for (const each of [path.join(directory, id), directory])
    await rmdir(each).catch((error: NodeJS.ErrnoException) => {
      if (!['ENOENT', 'ENOTEMPTY', 'ENOTDIR'].includes(error.code ?? '')) throw error;
    });
}
