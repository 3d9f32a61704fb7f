import { readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import type { Log } from "#host";
import { Claims } from "./claims.ts";
import { Etcd } from "./etcd.ts";
import { Mirror, type MirrorListener } from "./mirror.ts";
import type { ClusterSettings } from "./settings.ts";

const Identity = z.object({
  hostId: z.string().regex(/^[0-9a-f]{32}$/),
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
});
/** Who this host is until it is started anew; `nonce` goes into what is derived from shared secrets. */
export type Identity = z.infer<typeof Identity>;

export interface ClusterOptions {
  readonly settings: ClusterSettings;
  /** A folder on tmpfs, this daemon's alone. */
  readonly stateDirectory: string;
  readonly log: Log;
}

/** What all hosts see of each other is below `view/`; allocations are beside it, since nobody watches them. */
export const KEYS = {
  view: "view/",
  network: (id: string) => `view/networks/${id}`,
  endpoints: (networkId: string) => `view/endpoints/${networkId}/`,
  host: (id: string) => `view/hosts/${id}`,
  secrets: "view/secrets",
  name: (name: string) => `names/${name}`,
  vnis: "vnis/",
  pools: "pools/",
  poolGuard: "pool-guard",
  addresses: (poolId: string) => `addresses/${poolId}/`,
} as const;

/** This host's part in the store that hosts share: who it is, what it holds there, what it sees. */
export class Cluster implements AsyncDisposable {
  readonly etcd: Etcd;
  readonly claims: Claims;
  readonly identity: Identity;
  readonly settings: ClusterSettings;
  readonly log: Log;
  #mirror: Mirror | undefined;

  constructor({ settings, stateDirectory, log }: ClusterOptions) {
    this.settings = settings;
    this.log = log;
    this.identity = readIdentity(`${stateDirectory}/cluster.json`);
    this.etcd = new Etcd(settings.etcd);
    const { ttlSeconds } = settings;
    this.claims = new Claims(this.etcd, { ttlSeconds, log, onSilence: () => this.#mirror?.renew() });
  }

  /** A key in the store. */
  key(name: string): string {
    return `${this.settings.prefix}${name}`;
  }

  /** Begins to hold the lease and to tell what the hosts do; keys without `view/`. Once. */
  start(listener: MirrorListener): void {
    this.#mirror = new Mirror(this.etcd, this.key(KEYS.view), { listener, log: this.log });
    this.#mirror.start();
    this.claims.start();
  }

  /** Undefined until `start`. */
  get mirror(): Mirror | undefined {
    return this.#mirror;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mirror?.[Symbol.asyncDispose]();
    // Beside the host's own key: containers go on, and other hosts shall find them until the next daemon is there.
    await this.claims.leave(this.claims.size > 1);
  }
}

function readIdentity(path: string): Identity {
  try {
    return Identity.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    const identity = { hostId: randomHex(), nonce: randomHex() };
    writeFileSync(path, JSON.stringify(identity), { mode: 0o600 });
    return identity;
  }
}

function randomHex(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");
}
