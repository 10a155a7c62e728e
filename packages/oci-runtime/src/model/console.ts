/** Where the terminal of a process goes: to a listening socket, or to the monitor and so to this command's own terminal. */
export type Console = { readonly socket: string } | { readonly monitor: number } | undefined;
