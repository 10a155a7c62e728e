/**
 * Enables the compile cache of Node for the calling program, in the cache directory of the user (XDG Base Directory
 * Specification). The default directory of Node in /tmp is unsafe: the user who creates it first owns it and could plant
 * code for all others. Without a directory that belongs to the user the cache stays off. Engines that run as root are
 * services without a home directory, so they use the cache of the system (hier(7)).
 */
const { statSync } = require('node:fs');
const { enableCompileCache } = require('node:module');

const { HOME = '', XDG_CACHE_HOME } = process.env;
const WRITABLE_BY_ALL = 0o002;

/** Nothing for what is not there, is out of reach, or has no absolute path. */
function look(directory) {
  try {
    return directory.startsWith('/') ? statSync(directory, { throwIfNoEntry: false }) : undefined;
  } catch {
    return undefined;
  }
}

const directory = XDG_CACHE_HOME || (HOME ? `${HOME}/.cache` : process.geteuid() === 0 ? '/var/cache' : '');
const found = look(directory) ?? look(HOME);
if (found && found.uid === process.geteuid() && !(found.mode & WRITABLE_BY_ALL)) enableCompileCache(`${directory}/lamella`);
