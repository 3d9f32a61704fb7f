import { type Cluster, KEYS } from "../../cluster/cluster.ts";
import { readHost, readSecrets, type Secrets } from "../../cluster/shapes.ts";
import { Encryption, type Peers } from "./encryption.ts";
import { firstSecrets, rotated } from "./secrets.ts";

/** How often it is looked whether the secrets are old: any host may be the one that renews them. */
const LOOK_MILLISECONDS = 60_000;

/** The secrets that hosts share, and what the kernel makes of them. One host makes them, any host renews them. */
export class Secrecy {
  readonly #cluster: Cluster;
  readonly #encryption: Encryption;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isNeeded = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#encryption = new Encryption(cluster.log);
  }

  /** There is a secret when this returns. Throws `unsupported` where the kernel cannot encrypt. */
  async prepare(): Promise<void> {
    await this.requireUsable();
    const key = this.#cluster.key(KEYS.secrets);
    const value = JSON.stringify(firstSecrets(Date.now()));
    await this.#cluster.etcd.txn([{ kind: "absent", key }], [{ kind: "put", key, value }]);
  }

  requireUsable(): Promise<void> {
    return this.#encryption.requireUsable();
  }

  /** Before anything of an encrypted network is set up. */
  guard(): Promise<void> {
    return this.#encryption.guard(this.#cluster.settings.address);
  }

  start(onLook: () => void): void {
    this.#timer ??= setInterval(() => {
      if (this.#isNeeded) void this.#renew().catch(() => undefined);
      onLook();
    }, LOOK_MILLISECONDS);
    this.#timer.unref();
  }

  /** The kernel has what the view says. */
  follow(isNeeded: boolean): void {
    this.#isNeeded = isNeeded;
    if (!isNeeded) void this.#encryption.apply(undefined);
    const peers = isNeeded ? this.#peers() : undefined;
    if (peers !== undefined) void this.#encryption.apply(peers);
  }

  settle(): Promise<void> {
    return this.#encryption.settled;
  }

  #view(key: string): string {
    return this.#cluster.mirror?.get(key.slice(KEYS.view.length)) ?? "";
  }

  get #secrets(): Secrets | undefined {
    return readSecrets(this.#view(KEYS.secrets));
  }

  /** Undefined before the view is complete: what is there stays until then. */
  #peers(): Peers | undefined {
    const { mirror, identity, settings } = this.#cluster;
    const secrets = this.#secrets;
    if (mirror?.isReady !== true || secrets === undefined) return undefined;
    const others = mirror.below("hosts/").flatMap(([key, value]) => {
      const host = readHost(value);
      const id = key.slice("hosts/".length);
      return host === undefined || id === identity.hostId ? [] : [{ id, ...host }];
    });
    const self = { id: identity.hostId, nonce: identity.nonce, address: settings.address };
    return { self, others, secrets };
  }

  async #renew(): Promise<void> {
    const value = this.#view(KEYS.secrets);
    const next = this.#secrets === undefined ? undefined : rotated(this.#secrets, Date.now());
    if (next === undefined) return;
    const key = this.#cluster.key(KEYS.secrets);
    await this.#cluster.etcd.txn(
      [{ kind: "value", key, value }],
      [{ kind: "put", key, value: JSON.stringify(next) }],
    );
  }
}
