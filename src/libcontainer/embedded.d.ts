/** The launcher, compiled by build.ts, which Bun embeds; the import gives its path. */
declare module "*/dist/launcher" {
  const path: string;
  export default path;
}
