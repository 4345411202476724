// How does a page get into its widget? As one script and one style sheet: `node build.js [folder]`, static/ by default.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const wings = readdirSync(here).filter((name) => existsSync(`${here}${name}/page/main.js`));
/** @type {import("esbuild").BuildOptions} */
const manner = { bundle: true, minify: true, target: "es2022", charset: "utf8" };

/** `import code from "worker:./worker.js"` gives the text of a script that a worker can be made of. */
/** @type {import("esbuild").Plugin} */
const workers = {
  name: "workers",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^worker:/ }, ({ path, resolveDir }) => {
      return { path: join(resolveDir, path.slice("worker:".length)), namespace: "worker" };
    });
    onLoad({ filter: /.*/, namespace: "worker" }, async ({ path }) => {
      const built = await build({ ...manner, entryPoints: [path], format: "iife", write: false });
      return { contents: built.outputFiles[0].text, loader: "text" };
    });
  },
};

await build({
  ...manner,
  absWorkingDir: here,
  entryPoints: wings.flatMap((wing) => [
    { in: `${wing}/page/main.js`, out: wing },
    { in: `${wing}/page/main.css`, out: wing },
  ]),
  outdir: process.argv[2] ?? `${here}static`,
  format: "esm",
  plugins: [workers],
});
