import type { JobContext } from "#engine";
import type { LayerPhase, LayerReport } from "#graph";
import type { Digest } from "#oci";

/** Docker's words for what happens to a layer: clients show them and tests wait for them. */
const WORDS: Readonly<Record<LayerPhase, string>> = {
  waiting: "Waiting",
  exists: "Already exists",
  downloading: "Downloading",
  verifying: "Verifying Checksum",
  downloaded: "Download complete",
  extracting: "Extracting",
  done: "Pull complete",
};

/** A bar that moves more often than this, per layer and phase, only costs. */
const INTERVAL_MS = 100;

/** The twelve digits that stand for a layer on a screen. */
export function shortId(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1).slice(0, 12);
}

/** Reports one layer's progress in Docker's words, not too often. `now` is in milliseconds. */
export function layerReporter(
  digest: Digest,
  {
    report,
    now = performance.now.bind(performance),
  }: Pick<JobContext, "report"> & { readonly now?: () => number },
): LayerReport {
  const id = shortId(digest);
  let lastPhase: LayerPhase | undefined;
  let lastTime = Number.NEGATIVE_INFINITY;
  return (phase, current, total) => {
    const isBar = phase === "downloading" || phase === "extracting";
    const time = now();
    if (phase === lastPhase && (!isBar || time - lastTime < INTERVAL_MS)) return;
    lastPhase = phase;
    lastTime = time;
    report({
      kind: "status",
      id,
      status: WORDS[phase],
      ...(isBar && current !== undefined && { current, ...(total !== undefined && { total }) }),
    });
  };
}
