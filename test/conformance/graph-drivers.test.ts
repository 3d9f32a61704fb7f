import { erofs, overlay2, vfs } from "#graph";
import { graphDriverConformance } from "./graph-driver.ts";

await graphDriverConformance(overlay2);
await graphDriverConformance(erofs);
await graphDriverConformance(vfs);
