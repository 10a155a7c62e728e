/** The codes of {@link CliError}, each with its meaning. The reference of errors is made from this table. */
const CLI_ERROR_CODES = {
  OUTPUT_FAILED: 'stdout cannot be written to.',
  NPM_MISSING: 'npm is not installed.',
  NPM_FAILED: 'npm failed.',
  PLUGIN_UNKNOWN: 'There is no plugin of this name.',
  PLUGIN_INVALID: 'The package is not a plugin.',
  PLUGIN_REFUSED: 'A hook of a plugin refused the command.',
} as const;

/** The code of a {@link CliError}. */
export type CliErrorCode = keyof typeof CLI_ERROR_CODES;
