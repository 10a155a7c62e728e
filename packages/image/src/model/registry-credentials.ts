/** A name and password, or a token, for a registry. The identity token is the one that credential helpers give under that name. */
export type Credentials =
  | { readonly username: string; readonly password: string }
  | { readonly identityToken: string }
  /** Sent to the registry itself, without asking a token server. */
  | { readonly registryToken: string };
