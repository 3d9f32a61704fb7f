import { Fault } from "#errors";
import { findLink, inNetworkNamespace, Netlink, writeSysctl } from "#host";
import type { NetlinkStep } from "#oci";
import type { NamespaceHolder } from "./driver.ts";
import { HeldNamespace } from "./held-namespace.ts";
import { perform } from "./host-steps.ts";

/** A container's network while it runs and is changed: what the launcher does at a start is done by this process here. */
export class LiveNamespace implements Disposable {
  readonly #namespace: HeldNamespace;
  readonly #inside: Netlink;
  readonly #host: Netlink;

  private constructor(namespace: HeldNamespace, host: Netlink) {
    this.#namespace = namespace;
    this.#host = host;
    // A socket stays in the namespace in which it was made.
    this.#inside = inNetworkNamespace(namespace.path, () => new Netlink());
  }

  /** Throws `conflict` when the holder has ended. */
  static open(holder: NamespaceHolder, host: Netlink): LiveNamespace {
    const live = LiveNamespace.find(holder, host);
    if (live !== undefined) return live;
    throw new Fault("conflict", "Cannot enter the container's network: it is not running any more");
  }

  /** Undefined when the holder has ended. */
  static find(holder: NamespaceHolder, host: Netlink): LiveNamespace | undefined {
    using undo = new DisposableStack();
    const namespace = HeldNamespace.find(holder);
    if (namespace === undefined) return undefined;
    undo.use(namespace);
    const live = new LiveNamespace(namespace, host);
    undo.move();
    return live;
  }

  hasLink(name: string): boolean {
    return findLink(this.#inside, name) !== undefined;
  }

  perform(step: NetlinkStep): void {
    const { descriptor } = this.#namespace;
    if (step.netns === "host") perform(this.#host, step, descriptor);
    else if (step.netns === "child") perform(this.#inside, step, descriptor);
    else {
      using other = inNetworkNamespace(step.netns, () => new Netlink());
      perform(other, step, descriptor);
    }
  }

  /** Keys with dots, as containers' own sysctls are written. */
  set(sysctls: Readonly<Record<string, string>>): void {
    const all = Object.entries(sysctls);
    if (all.length === 0) return;
    inNetworkNamespace(this.#namespace.path, () => {
      for (const [key, value] of all) writeSysctl(key.replaceAll(".", "/"), value);
    });
  }

  [Symbol.dispose](): void {
    this.#inside[Symbol.dispose]();
    this.#namespace[Symbol.dispose]();
  }
}
