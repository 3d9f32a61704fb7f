import { Fault } from "#errors";
import type { Fill, Volume, VolumeContent, VolumeDriver, VolumeRequest, WantedVolume } from "./driver.ts";

/** Makes content and shows it. */
export async function publishNow(content: VolumeContent, fill: Fill): Promise<void> {
  await using staged = await content.stage(fill);
  staged.publish();
}

/** Throws `unsupported` where the content is not the driver's own. */
export function demandContent(driver: VolumeDriver, volume: VolumeRequest): VolumeContent {
  const content = driver.content(volume);
  if (content !== undefined) return content;
  throw new Fault(
    "unsupported",
    `Cannot replace or keep the content of the volume ${volume.name}: it is not a folder of this engine's own`,
  );
}

/** None at all fit any: whoever mounts a volume by its name need not know how it was made. */
export function checkSame(volume: Volume, { driver, options = {} }: WantedVolume): void {
  const { name } = volume;
  if (driver !== undefined && volume.driver !== driver)
    throw new Fault(
      "conflict",
      `A volume named ${name} already exists with the driver ${volume.driver}; choose another name than for the driver ${driver}`,
    );
  const keys = Object.keys(options);
  const isSame =
    keys.length === Object.keys(volume.options).length &&
    keys.every((key) => volume.options[key] === options[key]);
  if (keys.length > 0 && !isSame)
    throw new Fault(
      "conflict",
      `A volume named ${name} already exists with other options; remove it first, or choose another name`,
    );
}
