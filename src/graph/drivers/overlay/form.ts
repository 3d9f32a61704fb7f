import type { MountSpec } from "#oci";
import type { UnpackTarget } from "../../driver.ts";

/** Directories to merge, relative to `root`: the lower ones topmost first, and a layer whose `diff` takes what is written. */
export interface ServedStack {
  readonly root: string;
  readonly lowers: readonly string[];
  readonly upper: string | undefined;
}

/** How image layers are kept; what stacks them knows only that each one's tree can be seen in its `diff`. */
export interface LayerForm {
  /** The name of the driver. */
  readonly name: string;
  /** Fills a layer's directory, in which there is an empty `diff`. */
  fill(path: string, unpack: (target: UnpackTarget) => Promise<void>): Promise<void>;
  /** Fills it with nothing. */
  fillEmpty(path: string): Promise<void>;
  /** Lets the trees be seen. `shorts` are below `root`, and may be directories that are no layers. */
  show(root: string, shorts: Iterable<string>): void;
  /** Merges a stack on the directory `merged` where the kernel's overlay is not to do it, and tells how to see it. */
  readonly serve?: (stack: ServedStack, merged: string) => Promise<MountSpec>;
  /** Why no layer can be given a limit, apart from what the file system says. */
  readonly noLimits?: () => string | undefined;
  /** The layer is about to go. */
  hide(path: string): void;
  /** Whether what is mounted there is a layer that may stay so when a process has died. */
  isShown(path: string): boolean;
  /** The driver is about to end: what shows trees goes, but for what containers stand on by its mount alone. */
  close(root: string): void;
  /** For `info`, before what is told of every overlay. */
  readonly status?: (root: string) => Promise<readonly (readonly [string, string])[]>;
}
