/** Everything that is read from a registry or tried again has an end. Sizes in bytes, times in milliseconds. */
export interface Limits {
  readonly manifest: number;
  readonly config: number;
  readonly token: number;
  readonly errorBody: number;
  readonly tags: number;
  readonly redirects: number;
  /** How often one request is made when the registry is busy or the line bad. */
  readonly attempts: number;
  readonly firstDelay: number;
  /** The longest `Retry-After` that is honoured; past it the pull says so and ends. */
  readonly longestDelay: number;
  /** How often in a row a blob may break off without `progress` new bytes. */
  readonly breaks: number;
  readonly progress: number;
  /** How long a registry may be silent, before its answer or in the middle of it. */
  readonly silence: number;
  /** How long a TLS handshake may take where plain HTTP is the alternative. */
  readonly handshake: number;
}

const MIB = 1024 * 1024;

export const LIMITS: Limits = {
  manifest: 4 * MIB,
  config: 8 * MIB,
  token: 64 * 1024,
  errorBody: 64 * 1024,
  tags: 4 * MIB,
  redirects: 5,
  attempts: 5,
  firstDelay: 250,
  longestDelay: 60_000,
  breaks: 5,
  progress: MIB,
  silence: 60_000,
  handshake: 5_000,
};
