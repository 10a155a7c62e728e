/** Who we are to a registry; a token is what its helper calls an identity token. */
export type Credentials =
  | { readonly username: string; readonly password: string }
  | { readonly identityToken: string }
  /** Sent to the registry itself, without asking a token server. */
  | { readonly registryToken: string };
