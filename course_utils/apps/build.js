// How does a page get into its widget? As one script and one style sheet: `node build.js [folder]`, static/ by default.
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const wings = readdirSync(here).filter((name) => existsSync(`${here}${name}/page/main.js`));

await build({
  absWorkingDir: here,
  entryPoints: wings.flatMap((wing) => [
    { in: `${wing}/page/main.js`, out: wing },
    { in: `${wing}/page/main.css`, out: wing },
  ]),
  outdir: process.argv[2] ?? `${here}static`,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
});
