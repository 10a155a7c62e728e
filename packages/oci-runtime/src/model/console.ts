/** Where the terminal of a process goes: to who listens on a socket, or to the monitor, which is this command's own. */
export type Console = { readonly socket: string } | { readonly monitor: number } | undefined;
