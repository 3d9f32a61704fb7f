import type { Volume } from "#volume";
import type { Filters } from "../shapes.ts";

export type VolumeJobs = {
  readonly "volume.list": {
    readonly input: { readonly filters: Filters };
    readonly output: readonly Volume[];
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
  readonly "volume.inspect": { readonly input: { readonly name: string }; readonly output: Volume };
  readonly "volume.remove": {
    readonly input: { readonly name: string; readonly force: boolean };
    readonly output: Record<string, never>;
  };
};
