import { Fault } from "#errors";
import {
  type Descriptor,
  formatReference,
  INDEX_TYPES,
  Index,
  Manifest,
  parseJson,
  type Reference,
} from "#oci";
import { LIMITS, openRegistry, parseCredentials, type RegistryClient } from "#registry";
import { authFor } from "../login/credentials.ts";
import type { Session } from "../session.ts";
import { type Entry, type EntryPlatform, makeEntry, platformIn } from "./entry.ts";

interface Document {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** The registries that a command speaks with, with this user's logins: the daemon has no part in it. */
export class Remote {
  readonly #session: Session;
  readonly #isInsecure: boolean;
  readonly #clients = new Map<string, Promise<RegistryClient>>();
  readonly signal = new AbortController().signal;

  constructor(session: Session, { isInsecure }: { readonly isInsecure: boolean }) {
    this.#session = session;
    this.#isInsecure = isInsecure;
  }

  client({ domain, path }: Reference): Promise<RegistryClient> {
    const known = this.#clients.get(domain) ?? this.#open(domain, path);
    this.#clients.set(domain, known);
    return known;
  }

  async #open(domain: string, path: string): Promise<RegistryClient> {
    const { auth } = await authFor(this.#session, `${domain}/${path}`);
    const insecure = this.#isInsecure ? [domain] : [];
    return openRegistry({ mirrors: [], insecure }, parseCredentials(auth));
  }

  /** The manifest or list that a name means. Throws `not_found` in docker's words. */
  async document(reference: Reference): Promise<Document> {
    try {
      return await (await this.client(reference)).document(reference, { signal: this.signal });
    } catch (thrown) {
      if (!(thrown instanceof Fault) || thrown.kind !== "not_found") throw thrown;
      const sentence = `no such manifest: ${formatReference(reference)} (${thrown.message})`;
      throw new Fault("not_found", sentence, { cause: thrown });
    }
  }

  /** An image, with the platform that its configuration tells. Throws `invalid` for a list. */
  async entry(reference: Reference): Promise<Entry> {
    const document = await this.document(reference);
    if (isList(document)) throw new Fault("invalid", `${formatReference(reference)} is a manifest list`);
    return makeEntry(formatReference(reference), document, await this.#platform(reference, document));
  }

  /** The images of a list, each with the platform that the list tells. */
  async entries(list: Reference, { bytes }: Document): Promise<readonly Entry[]> {
    const { manifests } = Index.parse(parseJson(bytes, "the manifest list"));
    const found: Entry[] = [];
    for (const { digest, platform } of manifests) {
      const { domain, path } = list;
      const reference = { domain, path, digest };
      const document = await this.document(reference);
      const told = platform === undefined ? await this.#platform(reference, document) : platformIn(platform);
      found.push(makeEntry(formatReference(reference), document, told));
    }
    return found;
  }

  async #platform(reference: Reference, { bytes }: Document): Promise<EntryPlatform> {
    const { config } = Manifest.parse(parseJson(bytes, "the manifest"));
    const client = await this.client(reference);
    const read = await client.fetch(reference, config, { limit: LIMITS.config, signal: this.signal });
    return platformIn(parseJson(read, "the image's configuration"));
  }
}

export const isList = ({ descriptor }: Document): boolean => INDEX_TYPES.includes(descriptor.mediaType);
