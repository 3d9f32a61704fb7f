import type { JobRecord } from "#engine";

export type JobJobs = {
  readonly "job.list": { readonly input: Record<string, never>; readonly output: readonly JobRecord[] };
  readonly "job.cancel": { readonly input: { readonly id: string }; readonly output: Record<string, never> };
};
