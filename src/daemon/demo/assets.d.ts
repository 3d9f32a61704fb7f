declare module "*/demo-server" {
  const path: string;
  export default path;
}
