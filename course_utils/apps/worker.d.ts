// A module that is bundled for itself, as the text that a worker is made of (build.js).
declare module "worker:*" {
  const code: string;
  export default code;
}
