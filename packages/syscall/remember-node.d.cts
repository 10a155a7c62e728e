export function rememberNode(top: string): void;
