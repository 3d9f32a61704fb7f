import { type Descriptor, parseReference } from "#oci";
import { type Credentials, type Limits, openRegistry, type RegistryClient } from "#registry";
import { FakeClock } from "../../fakes/clock.ts";
import type { FakeRegistry } from "../../fakes/registry.ts";

export const PLATFORM = { os: "linux", architecture: "amd64" };
export const never = new AbortController().signal;

export interface Given {
  readonly mirrors?: readonly string[];
  readonly credentials?: Credentials;
  readonly clock?: FakeClock;
  readonly limits?: Partial<Limits>;
}

export function open({
  mirrors = [],
  credentials,
  clock = new FakeClock(),
  limits = {},
}: Given = {}): RegistryClient {
  return openRegistry({ mirrors, insecure: [] }, credentials, { clock, limits });
}

/** The text of a blob, from an offset on. What the registry holds open is cut once a part of it has arrived. */
export async function read(
  client: RegistryClient,
  registry: FakeRegistry,
  {
    descriptor,
    offset = 0,
    signal = never,
  }: { readonly descriptor: Descriptor; readonly offset?: number; readonly signal?: AbortSignal },
): Promise<string> {
  const parts: Uint8Array[] = [];
  const reference = parseReference(`${registry.host}/app`);
  for await (const part of client.stream(reference, descriptor, { offset, signal })) {
    parts.push(part);
    registry.cut();
  }
  return Buffer.concat(parts).toString();
}

export function resolve(
  client: RegistryClient,
  registry: FakeRegistry,
  name = "app",
): ReturnType<RegistryClient["resolve"]> {
  return client.resolve(parseReference(`${registry.host}/${name}`), { platform: PLATFORM, signal: never });
}
