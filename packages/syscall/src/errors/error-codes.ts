/** The codes of an error about the options of any public function, each with its meaning. */
export const OPTION_ERROR_CODES = {
  OPTION_UNKNOWN: 'An option does not exist; the hint names the nearest one.',
  OPTION_INVALID: 'An option has a value that it does not take.',
  OPTION_MISSING: 'A required option is missing.',
} as const;

/** The code of an error about the options of a public function. */
export type OptionErrorCode = keyof typeof OPTION_ERROR_CODES;

/** The codes of {@link ProgramError}, each with its meaning. The reference of errors is made from this table. */
export const PROGRAM_ERROR_CODES = {
  INIT_MISSING: 'There is no lamella-init for this platform, and no C compiler to build one.',
  INIT_FAILED: 'lamella-init cannot be executed.',
  INIT_REFUSED: 'lamella-init does not accept the program.',
  INIT_DIED: 'A signal killed lamella-init; the next sweep releases what it held.',
  TEXT_INVALID: 'A string has a lone surrogate that encodes no byte.',
  PROGRAM_TOO_LONG: 'An op, or a cloned program, takes more than 8 MiB.',
  SUBIDS_DENIED: 'newuidmap(1) or newgidmap(1) refused the ids of `/etc/subuid`.',
  TOO_MANY_DESCRIPTORS: 'The program needs more than 8185 descriptors.',
} as const;

/** The code of a {@link ProgramError}. */
export type ProgramErrorCode = keyof typeof PROGRAM_ERROR_CODES | OptionErrorCode;

/** The codes of {@link FileError}, each with its meaning. */
export const FILE_ERROR_CODES = {
  FILE_MISSING: 'The file does not exist.',
  FILE_UNREADABLE: 'The file cannot be opened or read.',
  FILE_IRREGULAR: 'The path is not a regular file.',
  FILE_TOO_LARGE: 'The file is larger than the limit.',
  FILE_OUTSIDE: 'A link leads out of the directory that the file has to be in.',
} as const;

/** The code of a {@link FileError}. */
export type FileErrorCode = keyof typeof FILE_ERROR_CODES;
