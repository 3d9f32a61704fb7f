import type { Volume } from "#volume";
import type { Filters } from "../shapes.ts";

type Nothing = Record<string, never>;

/** `created` in milliseconds since the epoch. */
export interface SnapshotView {
  readonly name: string;
  readonly created: number;
}

/** A volume with what its driver tells of it now. */
export interface VolumeDetail extends Volume {
  readonly status?: Readonly<Record<string, unknown>>;
}

export type VolumeJobs = {
  readonly "volume.list": {
    readonly input: { readonly filters: Filters };
    readonly output: { readonly volumes: readonly Volume[]; readonly warnings: readonly string[] };
  };
  readonly "volume.create": {
    readonly input: {
      readonly name?: string;
      readonly driver?: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly options: Readonly<Record<string, string>>;
    };
    readonly output: Volume;
  };
  readonly "volume.inspect": { readonly input: { readonly name: string }; readonly output: VolumeDetail };
  readonly "volume.remove": {
    readonly input: { readonly name: string; readonly force: boolean };
    readonly output: Nothing;
  };
  readonly "volume.prune": {
    readonly input: { readonly filters: Filters };
    readonly output: { readonly deleted: readonly string[]; readonly reclaimedBytes: number };
  };
  /** `sizeBytes`: -1 where it was not measured. */
  readonly "volume.usage": {
    readonly input: Nothing;
    readonly output: readonly {
      readonly volume: Volume;
      readonly sizeBytes: number;
      readonly users: number;
    }[];
  };
  readonly "volume.export": {
    readonly input: { readonly name: string; readonly live: boolean };
    readonly output: AsyncIterable<Uint8Array>;
  };
  readonly "volume.import": { readonly input: { readonly name: string }; readonly output: Nothing };
  readonly "volume.clone": {
    readonly input: { readonly name: string; readonly target: string; readonly live: boolean };
    readonly output: Volume;
  };
  readonly "volume.snapshots": {
    readonly input: { readonly name: string };
    readonly output: readonly SnapshotView[];
  };
  readonly "volume.snapshot": {
    readonly input: { readonly name: string; readonly snapshot: string; readonly live: boolean };
    readonly output: SnapshotView;
  };
  readonly "volume.snapshot-remove": {
    readonly input: { readonly name: string; readonly snapshot: string };
    readonly output: Nothing;
  };
  readonly "volume.restore": {
    readonly input: { readonly name: string; readonly snapshot: string };
    readonly output: Nothing;
  };
};
