import { Fault } from "#errors";
import { parsePlatform } from "#oci";

/** A platform flag as the API wants it in a query: JSON. Throws `invalid` in docker's words. */
export function platformJson(text: string): { readonly platform?: string } {
  if (text === "") return {};
  const platform = parsePlatform(text);
  if (platform === undefined)
    throw new Fault(
      "invalid",
      `invalid platform: "${text.slice(0, 100)}": expected os/architecture[/variant]`,
    );
  return { platform: JSON.stringify(platform) };
}
