import { localVolumes, type VolumeDriverKind } from "#volume";
import { volumeDriverConformance } from "./volume-driver.ts";

const isRoot = process.getuid?.() === 0;
const mounting: VolumeDriverKind = isRoot
  ? localVolumes
  : { ...localVolumes, probe: async () => ({ usable: false, reason: "mounting needs root" }) };

await volumeDriverConformance(localVolumes);
await volumeDriverConformance(mounting, {
  title: "local, with a tmpfs",
  options: { type: "tmpfs", device: "tmpfs" },
});
