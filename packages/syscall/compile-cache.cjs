/**
 * Let Node keep what V8 compiles of the calling program, in the user's own cache (XDG Base Directory
 * Specification). Not where Node keeps it by default: whoever is the first to make the directory in /tmp owns
 * it, and could give everybody else's programs code to run. Without a directory that is this user's own there is
 * no cache.
 */
const { statSync } = require('node:fs');
const { enableCompileCache } = require('node:module');

const { HOME = '', XDG_CACHE_HOME } = process.env;
const directory = XDG_CACHE_HOME || `${HOME}/.cache`;
const found = [directory, HOME].map((each) => each.startsWith('/') && statSync(each, { throwIfNoEntry: false })).find(Boolean);
const WRITABLE_BY_ALL = 0o002;
if (found && found.uid === process.geteuid() && !(found.mode & WRITABLE_BY_ALL)) enableCompileCache(`${directory}/lamella`);
