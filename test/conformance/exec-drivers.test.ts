import { nativeKind } from "#exec";
import { execDriverConformance } from "./exec-driver.ts";

await execDriverConformance(nativeKind);
