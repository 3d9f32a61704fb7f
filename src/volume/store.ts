import { readdir } from "node:fs/promises";
import { Fault, sentenceOf } from "#errors";
import { checkSame, demandContent, publishNow } from "./checks.ts";
import type {
  Fill,
  Volume,
  VolumeContent,
  VolumeDriver,
  Volumes,
  VolumeView,
  WantedVolume,
} from "./driver.ts";
import type { Drivers } from "./drivers.ts";
import { Holders } from "./holders.ts";
import { ANONYMOUS_LABEL, checkVolumeName, isVolumeName, noSuchVolume, randomName } from "./names.ts";
import type { VolumeOptions } from "./open.ts";
import { VolumeTable } from "./table.ts";
import { Turns } from "./turns.ts";

const LOCAL = "local";

/** The records of volumes, and the counts of their users and mounts; what they are is their driver's. */
export class VolumeStore implements Volumes {
  readonly #table: VolumeTable;
  readonly #drivers: Drivers;
  readonly #complain: VolumeOptions["complain"];
  readonly #turns = new Turns();
  readonly #volumes = new Map<string, Volume>();
  readonly #users = new Holders<true>();
  /** With the host path that each of them was told. */
  readonly #mounts = new Holders<string>();
  /** Whom a plugin could not be told to unmount for. */
  readonly #stuck = new Holders<true>();
  /** An earlier daemon was ended before it was done with them. */
  readonly #halfRemoved = new Map<string, Volume>();

  constructor({ database, complain }: Pick<VolumeOptions, "database" | "complain">, drivers: Drivers) {
    const table = new VolumeTable(database);
    this.#table = table;
    this.#drivers = drivers;
    this.#complain = complain;
    for (const { volume, isRemoving } of table.volumes())
      (isRemoving ? this.#halfRemoved : this.#volumes).set(volume.name, volume);
    for (const { volume, container } of table.uses()) this.#users.set(volume, container, true);
    for (const { volume, holder } of table.mounts())
      this.#mounts.set(volume, holder, this.#volumes.get(volume)?.mountpoint ?? "");
  }

  list(): readonly Volume[] {
    return [...this.#volumes.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  find(name: string): Volume | undefined {
    return this.#volumes.get(name);
  }

  drivers(): readonly string[] {
    return this.#drivers.names();
  }

  async discover(name?: string): Promise<readonly string[]> {
    if (name !== undefined && this.#volumes.has(name)) return [];
    const { drivers, warnings } = await this.#drivers.reachable();
    const settled = drivers.map(async (driver) => {
      const why = await this.#settleWith(driver, name).catch(sentenceOf);
      return why === undefined ? [] : [`The volumes of the driver ${driver.name} are not known: ${why}`];
    });
    return [...warnings, ...(await Promise.all(settled)).flat()];
  }

  /** Takes up what the driver has, and forgets what it has no more unless somebody uses it. */
  async #settleWith(driver: VolumeDriver, name: string | undefined): Promise<void> {
    const before = this.list().filter((volume) => volume.driver === driver.name);
    const views = (await driver.list()).filter((view) => isVolumeName(view.name));
    for (const view of views) if (name === undefined || view.name === name) this.#takeUp(driver, view);
    if (this.#drivers.known(driver.name) !== undefined) return;
    const listed = new Set(views.map((view) => view.name));
    for (const volume of before) if (!listed.has(volume.name) && this.#isIdle(volume)) this.#forget(volume);
  }

  #isIdle(volume: Volume): boolean {
    const { name } = volume;
    const users = this.usersOf(name).length + this.holdersOf(name).length;
    return this.#volumes.get(name) === volume && users === 0;
  }

  isFolder(name: string): boolean {
    const volume = this.#get(name);
    return volume.driver === LOCAL && this.#drivers.known(LOCAL)?.needsMount(volume) === false;
  }

  #takeUp(driver: VolumeDriver, { name, mountpoint }: VolumeView): void {
    if (this.#volumes.has(name) || this.#halfRemoved.has(name)) return;
    const { name: driverName, scope } = driver;
    const rest = { labels: {}, options: {}, created: Date.now(), isAnonymous: false };
    const volume: Volume = { name, driver: driverName, mountpoint, scope, ...rest };
    this.#table.add(volume);
    this.#volumes.set(name, volume);
  }

  async view(name: string): Promise<VolumeView> {
    const volume = this.#get(name);
    const driver = await this.#drivers.get(volume.driver);
    const { mountpoint } = volume;
    return (await driver.inspect(volume)) ?? { name, mountpoint };
  }

  async create(wanted: WantedVolume): Promise<Volume> {
    const isAnonymous = wanted.name === undefined || wanted.name === "";
    const name = isAnonymous ? randomName() : checkVolumeName(wanted.name ?? "");
    return this.#turns.take(name, async () => {
      const existing = this.#volumes.get(name);
      if (existing !== undefined) return this.#same(existing, wanted);
      return this.#make({ ...wanted, name }, isAnonymous);
    });
  }

  #same(existing: Volume, wanted: WantedVolume): Volume {
    if (wanted.fill !== undefined)
      throw new Fault("conflict", `A volume named ${existing.name} already exists; choose another name`);
    checkSame(existing, wanted);
    if (wanted.holder !== undefined) this.hold(existing.name, wanted.holder);
    return existing;
  }

  /** The content first: a row without would be a volume that cannot be mounted. */
  async #make(wanted: WantedVolume & { readonly name: string }, isAnonymous: boolean): Promise<Volume> {
    const { name, driver: driverName = LOCAL, options = {}, holder, fill } = wanted;
    const labels = { ...wanted.labels, ...(isAnonymous && { [ANONYMOUS_LABEL]: "" }) };
    const driver = await this.#drivers.get(driverName);
    const earlier = this.#halfRemoved.get(name);
    if (earlier !== undefined) await this.#finishRemoval(earlier);
    await using undo = new AsyncDisposableStack();
    if (await driver.create({ name, options })) undo.defer(() => driver.remove({ name, options }));
    if (fill !== undefined) await publishNow(demandContent(driver, { name, options }), fill);
    const { mountpoint = "" } = (await driver.inspect({ name, options })) ?? {};
    const { scope } = driver;
    const known = { name, driver: driverName, mountpoint, scope, labels, options };
    const volume: Volume = { ...known, created: Date.now(), isAnonymous };
    this.#table.add(volume, holder);
    undo.move();
    this.#volumes.set(name, volume);
    if (holder !== undefined) this.#users.set(name, holder, true);
    return volume;
  }

  async remove(name: string, { force = false }: { readonly force?: boolean } = {}): Promise<void> {
    await this.#turns.take(name, async () => {
      const volume = this.#volumes.get(name);
      if (volume === undefined) {
        if (force) return;
        throw noSuchVolume(name);
      }
      const isOwn = this.#isOwn(volume);
      for (const holder of this.#stuck.of(name)) await this.#unmount(volume, holder);
      const canPass = force && !isOwn;
      const users = new Set([...this.usersOf(name), ...(canPass ? [] : this.holdersOf(name))]);
      if (users.size > 0)
        throw new Fault("conflict", `remove ${name}: volume is in use - [${[...users].join(", ")}]`);
      // Without its driver nothing of it can be removed, and its record must stay.
      if (!canPass) await this.#drivers.get(volume.driver);
      this.#table.beginRemoval(volume);
      this.#volumes.delete(name);
      this.#halfRemoved.set(name, volume);
      try {
        await this.#finishRemoval(volume);
      } catch (thrown) {
        if (isOwn) throw thrown;
        if (!force) return this.#bringBack(volume, thrown);
        this.#complain(`Something of the volume ${name} may be left with its plugin`, thrown);
        this.#forget(volume);
      }
    });
  }

  /** Its plugin keeps it. */
  #bringBack(volume: Volume, reason: unknown): never {
    this.#table.abandonRemoval(volume);
    this.#halfRemoved.delete(volume.name);
    this.#volumes.set(volume.name, volume);
    throw reason;
  }

  /** The row last: with neither row nor word of its removal, what is left would come back with the name. */
  async #finishRemoval(volume: Volume): Promise<void> {
    const driver = await this.#drivers.get(volume.driver);
    await driver.remove(volume);
    this.#forget(volume);
  }

  #forget({ name }: Volume): void {
    this.#table.remove(name);
    this.#volumes.delete(name);
    this.#halfRemoved.delete(name);
    this.#users.clear(name);
    this.#mounts.clear(name);
    this.#stuck.clear(name);
  }

  hold(name: string, containerId: string): void {
    this.#get(name);
    this.#table.use(name, containerId);
    this.#users.set(name, containerId, true);
  }

  release(containerId: string): void {
    if (this.#users.keysOf(containerId).length === 0) return;
    this.#table.disuse(containerId);
    this.#users.forget(containerId);
  }

  usersOf(name: string): readonly string[] {
    return this.#users.of(name);
  }

  async mount(name: string, holder: string): Promise<string> {
    return this.#turns.take(name, async () => {
      const volume = this.#get(name);
      const driver = await this.#drivers.get(volume.driver);
      if (driver.needsMount(volume)) this.#table.mounted(name, holder);
      try {
        const path = await driver.mount(volume, holder);
        this.#mounts.set(name, holder, path);
        return path;
      } catch (thrown) {
        await this.#attempt(`Cannot unmount the volume ${name}`, () =>
          this.#letGo(volume, { driver, holder }),
        );
        throw thrown;
      }
    });
  }

  async unmount(name: string, holder: string): Promise<void> {
    await this.#turns.take(name, async () => {
      const volume = this.#volumes.get(name);
      if (volume === undefined || this.#mounts.get(name, holder) === undefined) return;
      await this.#unmount(volume, holder);
    });
  }

  /** A container ends whatever a plugin says; what is left is tried again at the next start and before a removal. */
  async #unmount(volume: Volume, holder: string): Promise<void> {
    const { name } = volume;
    try {
      await this.#letGo(volume, { driver: await this.#drivers.get(volume.driver), holder });
      this.#stuck.delete(name, holder);
    } catch (thrown) {
      if (this.#isOwn(volume)) throw thrown;
      this.#stuck.set(name, holder, true);
      this.#complain(`The plugin ${volume.driver} may have the volume ${name} mounted still`, thrown);
    }
  }

  #isOwn({ driver }: Volume): boolean {
    return this.#drivers.known(driver) !== undefined;
  }

  /** The row last: until then a later daemon unmounts it. */
  async #letGo(
    volume: Volume,
    { driver, holder }: { readonly driver: VolumeDriver; readonly holder: string },
  ): Promise<void> {
    const isLast = this.holdersOf(volume.name).every((other) => other === holder);
    await driver.unmount(volume, { holder, isLast });
    if (driver.needsMount(volume)) this.#table.unmounted(volume.name, holder);
    this.#mounts.delete(volume.name, holder);
  }

  holdersOf(name: string): readonly string[] {
    return this.#mounts.of(name);
  }

  async isEmpty(name: string): Promise<boolean> {
    const volume = this.#get(name);
    if (this.#table.isFilling(name)) return true;
    const [holder = ""] = this.holdersOf(name);
    return (await readdir(this.#mounts.get(name, holder) ?? volume.mountpoint)).length === 0;
  }

  async populate(name: string, holder: string, fill: Fill): Promise<void> {
    await this.#turns.take(name, async () => {
      // Of two that start at the same time the other may have done it.
      if (!(await this.isEmpty(name))) return;
      const volume = this.#get(name);
      const driver = await this.#drivers.get(volume.driver);
      const isAlone = this.holdersOf(name).every((other) => other === holder);
      const content = isAlone && !this.#table.isFilling(name) ? driver.content(volume) : undefined;
      if (content !== undefined) return publishNow(content, fill);
      // Another container may have this very folder mounted: it must stay the same one.
      this.#table.setFilling(name, true);
      await fill(this.#mounts.get(name, holder) ?? volume.mountpoint);
      this.#table.setFilling(name, false);
    });
  }

  /** The content is made while others may come and go, and shown only when nobody is there. */
  async replace(name: string, fill: Fill): Promise<void> {
    const holder = `replacing-${crypto.randomUUID()}`;
    const content = await this.#turns.take(name, async () => {
      const volume = this.#get(name);
      const found = demandContent(await this.#drivers.get(volume.driver), volume);
      this.#demandUnused(name, holder);
      // Keeps it from being removed.
      this.#mounts.set(name, holder, volume.mountpoint);
      return found;
    });
    try {
      await using staged = await content.stage(fill);
      await this.#turns.take(name, async () => {
        this.#demandUnused(name, holder);
        staged.publish();
      });
    } finally {
      this.#mounts.delete(name, holder);
    }
  }

  #demandUnused(name: string, holder: string): void {
    const others = this.holdersOf(name).filter((other) => other !== holder);
    if (others.length === 0) return;
    throw new Fault(
      "conflict",
      `Cannot replace the content of the volume ${name}: it is in use by [${others.join(", ")}]; stop them first`,
    );
  }

  async kept(name: string): Promise<Pick<VolumeContent, "snapshots" | "keep" | "forget">> {
    const volume = this.#get(name);
    return demandContent(await this.#drivers.get(volume.driver), volume);
  }

  async sweep(known: ReadonlySet<string>, running: ReadonlySet<string>): Promise<readonly string[]> {
    const swept: string[] = [];
    for (const volume of [...this.#halfRemoved.values()])
      await this.#unlessForeign(
        volume,
        `Cannot finish the removal of the volume ${volume.name}`,
        async () => {
          await this.#turns.take(volume.name, () => this.#finishRemoval(volume));
          swept.push(volume.name);
        },
      );
    await this.#settleMounts(running);
    const deserted = this.#users.keys().filter((name) => this.usersOf(name).some((id) => !known.has(id)));
    for (const name of deserted)
      for (const id of this.usersOf(name).filter((user) => !known.has(user))) this.release(id);
    for (const name of deserted) {
      if (this.usersOf(name).length > 0 || this.#volumes.get(name)?.isAnonymous !== true) continue;
      await this.#attempt(`Cannot remove the volume ${name}`, async () => {
        await this.remove(name);
        swept.push(name);
      });
    }
    const mounted = new Set(this.#mounts.keys());
    for (const driver of this.#drivers.all())
      await this.#attempt(`Cannot clear what the volume driver ${driver.name} left`, () =>
        driver.sweep({ known: new Set(this.#volumes.keys()), mounted }),
      );
    return swept;
  }

  /** Who runs has what it refers to, and nobody else has. */
  async #settleMounts(running: ReadonlySet<string>): Promise<void> {
    for (const name of this.#mounts.keys())
      for (const holder of this.holdersOf(name).filter((one) => !running.has(one)))
        await this.#unlessForeign(this.#volumes.get(name), `Cannot unmount the volume ${name}`, () =>
          this.unmount(name, holder),
        );
    for (const { name, mountpoint } of this.#volumes.values())
      for (const id of this.usersOf(name))
        if (running.has(id) && this.#mounts.get(name, id) === undefined)
          this.#mounts.set(name, id, mountpoint);
  }

  /** A start does not wait for plugins. */
  async #unlessForeign(
    volume: Volume | undefined,
    sentence: string,
    work: () => Promise<void>,
  ): Promise<void> {
    const attempted = this.#attempt(sentence, work);
    if (volume === undefined || this.#isOwn(volume)) await attempted;
  }

  /** One driver that cannot does not keep the others from it. */
  async #attempt(sentence: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      this.#complain(sentence, thrown);
    }
  }

  #get(name: string): Volume {
    const volume = this.#volumes.get(name);
    if (volume === undefined) throw noSuchVolume(name);
    return volume;
  }
}
