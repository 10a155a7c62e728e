/**
 * Let Node keep what V8 compiles of the calling program, in the user's own cache (XDG Base Directory
 * Specification). Not where Node keeps it by default: whoever is the first to make the directory in /tmp owns
 * it, and could give everybody else's programs code to run. Without a directory that is this user's own there is
 * no cache. Engines of root's are services, which have no home: theirs is the system's (hier(7)).
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
