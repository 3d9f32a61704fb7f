import { Fault } from "#errors";
import {
  type Descriptor,
  type Digest,
  isDigest,
  matchesDigest,
  type Platform,
  type Reference,
  repository,
} from "#oci";
import { credentialsFor } from "../auth/keychain.ts";
import type { Credentials, PushedBlob, RegistryClient, RegistrySettings, Resolved } from "../types.ts";
import { streamBlob } from "./blobs.ts";
import { type Clock, systemClock } from "./clock.ts";
import { endpointsOf } from "./endpoints.ts";
import { httpSettings } from "./http-settings.ts";
import { LIMITS, type Limits } from "./limits.ts";
import { ACCEPT, chooseManifest, type Document, readDocument, toResolved } from "./manifests.ts";
import { mountBlob, pushBlob, pushManifest } from "./push.ts";
import { listTags } from "./tags.ts";
import { Transport } from "./transport.ts";

export interface OpenOptions {
  readonly clock?: Clock;
  readonly limits?: Partial<Limits>;
}

interface Cancellable {
  readonly signal: AbortSignal;
}

/** A client for one errand: it holds tokens and which endpoint had what was asked for, and nothing else. */
export function openRegistry(
  settings: RegistrySettings,
  credentials: Credentials | undefined,
  options: OpenOptions = {},
): RegistryClient {
  return new Client(settings, credentials, options);
}

class Client implements RegistryClient {
  readonly #settings: RegistrySettings;
  readonly #credentials: Credentials | undefined;
  readonly #clock: Clock;
  readonly #limits: Limits;
  /** By repository, the one that last had an answer first. */
  readonly #opened = new Map<string, readonly Transport[]>();

  constructor(settings: RegistrySettings, credentials: Credentials | undefined, options: OpenOptions) {
    this.#settings = settings;
    this.#credentials = credentials;
    this.#clock = options.clock ?? systemClock;
    const { attempts } = settings;
    this.#limits = {
      ...LIMITS,
      ...(attempts === undefined ? {} : { attempts, breaks: attempts }),
      ...options.limits,
    };
  }

  async digest(reference: Reference, { signal }: Cancellable): Promise<Digest | undefined> {
    return await this.#first(reference, signal, async (transport) => {
      using answer = await transport.ask({
        reference,
        subject: "manifest",
        method: "HEAD",
        path: `manifests/${reference.digest ?? reference.tag}`,
        headers: { Accept: ACCEPT },
        signal,
      });
      const told = answer.headers.get("docker-content-digest") ?? "";
      return isDigest(told) ? told : undefined;
    });
  }

  async resolve(
    reference: Reference,
    { platform, signal }: Cancellable & { readonly platform: Platform },
  ): Promise<Resolved> {
    return await this.#first(reference, signal, async (transport) => {
      const root = await this.#document(transport, reference, signal);
      if (root.kind === "manifest") return toResolved(reference, { root: root.descriptor, document: root });
      const chosen = chooseManifest(root.index, platform);
      const document = await this.#document(transport, reference, signal, chosen);
      return toResolved(reference, { root: root.descriptor, document });
    });
  }

  async document(reference: Reference, { signal }: Cancellable): Promise<Document> {
    return await this.#first(reference, signal, (transport) => this.#document(transport, reference, signal));
  }

  async tags(reference: Reference, { signal }: Cancellable): Promise<readonly string[]> {
    return await this.#first(reference, signal, (transport) =>
      listTags(transport, reference, { signal, limit: this.#limits.tags }),
    );
  }

  async fetch(
    reference: Reference,
    descriptor: Descriptor,
    { limit, signal }: Cancellable & { readonly limit: number },
  ): Promise<Uint8Array> {
    const { digest, size } = descriptor;
    if (size > limit)
      throw new Fault(
        "invalid",
        `Cannot get the blob ${digest}: it has ${size} bytes, more than the ${limit} allowed`,
      );
    const parts: Uint8Array[] = [];
    for await (const part of this.stream(reference, descriptor, { offset: 0, signal })) parts.push(part);
    const bytes = Buffer.concat(parts);
    if (matchesDigest(bytes, digest)) return bytes;
    throw new Fault(
      "invalid",
      `filesystem layer verification failed for digest ${digest}: it holds something else`,
    );
  }

  async pushBlob(
    reference: Reference,
    descriptor: Descriptor,
    options: Parameters<RegistryClient["pushBlob"]>[2],
  ): Promise<PushedBlob> {
    const waiting = { clock: this.#clock, limits: this.#limits };
    return await pushBlob(this.#home(reference), { reference, descriptor, ...options }, waiting);
  }

  async mountBlob(
    reference: Reference,
    descriptor: Descriptor,
    { from, signal }: Cancellable & { readonly from: string },
  ): Promise<boolean> {
    return await mountBlob(this.#home(reference), { reference, descriptor, signal }, from);
  }

  async pushManifest(
    reference: Reference,
    manifest: { readonly bytes: Uint8Array; readonly mediaType: string },
    { signal }: Cancellable,
  ): Promise<void> {
    await pushManifest(this.#home(reference), { reference, ...manifest, signal });
  }

  /** Nothing is pushed to a mirror. */
  #home(reference: Reference): Transport {
    const home = this.#transports(reference).find(({ endpoint }) => !endpoint.isMirror);
    if (home === undefined)
      throw new Fault("internal", `Cannot push to ${reference.domain}: it has no address`);
    return home;
  }

  async *stream(
    reference: Reference,
    descriptor: Descriptor,
    { offset, signal }: Cancellable & { readonly offset: number },
  ): AsyncGenerator<Uint8Array> {
    const transports = this.#transports(reference);
    const faults: Fault[] = [];
    const waiting = { clock: this.#clock, limits: this.#limits };
    let position = offset;
    for (const transport of transports) {
      try {
        const request = { reference, descriptor, offset: position, signal };
        for await (const chunk of streamBlob(transport, request, waiting)) {
          position += chunk.length;
          yield chunk;
        }
        return;
      } catch (thrown) {
        signal.throwIfAborted();
        if (!(thrown instanceof Fault)) throw thrown;
        faults.push(thrown);
      }
    }
    throw gravest(faults);
  }

  async #document(
    transport: Transport,
    reference: Reference,
    signal: AbortSignal,
    chosen?: Descriptor,
  ): Promise<Document> {
    const wanted = chosen?.digest ?? reference.digest;
    const path = `manifests/${wanted ?? reference.tag}`;
    const { bytes, headers } = await transport.read(
      { reference, subject: "manifest", path, headers: { Accept: ACCEPT }, signal },
      { limit: this.#limits.manifest, what: "the manifest" },
    );
    const [contentType = ""] = (headers.get("content-type") ?? "").split(";");
    const raw = {
      bytes,
      contentType: contentType.trim(),
      toldDigest: headers.get("docker-content-digest"),
    };
    return readDocument(raw, chosen ?? reference.digest);
  }

  #transports(reference: Reference): readonly Transport[] {
    const key = repository(reference);
    const known = this.#opened.get(key);
    if (known !== undefined) return known;
    const http = httpSettings(this.#settings, this.#limits);
    const transports = endpointsOf(reference, this.#settings).map((endpoint) => {
      const credentials = credentialsFor(endpoint, this.#credentials);
      return new Transport(endpoint, { http, clock: this.#clock, credentials });
    });
    this.#opened.set(key, transports);
    return transports;
  }

  /** Asks one endpoint after the other; the one that could answer is asked first from then on. */
  async #first<Result>(
    reference: Reference,
    signal: AbortSignal,
    ask: (transport: Transport) => Promise<Result>,
  ): Promise<Result> {
    const faults: Fault[] = [];
    for (const transport of this.#transports(reference)) {
      try {
        const result = await ask(transport);
        const others = this.#transports(reference).filter((other) => other !== transport);
        this.#opened.set(repository(reference), [transport, ...others]);
        return result;
      } catch (thrown) {
        signal.throwIfAborted();
        if (!(thrown instanceof Fault)) throw thrown;
        faults.push(thrown);
      }
    }
    throw gravest(faults);
  }
}

/** The last word counts, unless it came from somebody who could not be reached while another had an answer. */
function gravest(faults: readonly Fault[]): Fault {
  const last = faults.at(-1);
  const main = last?.kind === "unavailable" ? faults.find(({ kind }) => kind !== "unavailable") : last;
  if (last === undefined) return new Fault("internal", "Cannot ask any registry: there is none to ask");
  if (faults.length === 1 || main === last) return last;
  const others = faults.filter((fault) => fault !== main && fault !== last).map(({ message }) => message);
  const [first, ...rest] = [...(main === undefined ? [] : [main.message]), ...others, last.message];
  return new Fault(main?.kind ?? last.kind, `${first} (${rest.join("; ")})`, { cause: main ?? last });
}
