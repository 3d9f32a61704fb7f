import type { UnpackTarget } from "../../driver.ts";

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
  /** The layer is about to go. */
  hide(path: string): void;
  /** Whether what is mounted there is a layer that may stay so when a process has died. */
  isShown(path: string): boolean;
}
