import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { VolumeDriver, VolumeDriverKind, VolumeRequest, VolumeView } from "#volume";

/** A driver whose volumes must be mounted, as a plugin's: it notes what it is asked, and fails when told to. */
export class FakeVolumeDriver implements VolumeDriver {
  readonly name = "fake";
  readonly scope = "global";
  readonly calls: string[] = [];
  failure: Error | undefined;
  readonly #root: string;

  constructor(root: string) {
    this.#root = join(root, "fake");
  }

  /** As `openVolumes` wants it. */
  get kind(): VolumeDriverKind {
    return { name: this.name, probe: async () => ({ usable: true }), open: async () => this };
  }

  async create({ name }: VolumeRequest): Promise<boolean> {
    this.#note(`create ${name}`);
    return mkdirSync(join(this.#root, name), { recursive: true }) !== undefined;
  }

  async remove({ name }: VolumeRequest): Promise<void> {
    this.#note(`remove ${name}`);
    rmSync(join(this.#root, name), { recursive: true, force: true });
  }

  needsMount(): boolean {
    return true;
  }

  async mount({ name }: VolumeRequest, holder: string): Promise<string> {
    this.#note(`mount ${name} ${holder}`);
    return join(this.#root, name);
  }

  async unmount(
    { name }: VolumeRequest,
    { holder, isLast }: { readonly holder: string; readonly isLast: boolean },
  ): Promise<void> {
    this.calls.push(`unmount ${name} ${holder}${isLast ? " last" : ""}`);
  }

  async inspect({ name }: VolumeRequest): Promise<VolumeView> {
    return { name, mountpoint: "" };
  }

  content() {
    return undefined;
  }

  async list(): Promise<readonly VolumeView[]> {
    this.#note("list");
    return [{ name: "of-its-own", mountpoint: "" }];
  }

  async sweep(): Promise<void> {}

  #note(call: string): void {
    this.calls.push(call);
    if (this.failure !== undefined) throw this.failure;
  }
}
