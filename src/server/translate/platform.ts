import { z } from "zod";
import { Fault } from "#errors";

/** Source: OCI image specification 1.1, image-index.md, "platform", as Docker's API takes it in a query. */
const Platform = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });

/** `os/architecture[/variant]`, of a JSON object or of that text itself. Throws `invalid` for what is neither. */
export function platformText(text: string): string {
  if (!text.trimStart().startsWith("{")) return text;
  try {
    const { os, architecture, variant } = Platform.parse(JSON.parse(text));
    return [os, architecture, variant].filter(Boolean).join("/");
  } catch (cause) {
    throw new Fault("invalid", `failed to parse platform: ${text.slice(0, 200)} is no platform`, { cause });
  }
}
