// Makes the bundles that the package ships: one script for the app's page, one module for each widget, and the attention
// explorer by itself and for saved pages. They are committed, so that installing from a clone needs no node.
//
//   node build.js          write them
//   node build.js --check  fail where one is not what its sources give

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const NOTICE = "Built by `make bundles` from the sources beside this folder: change those.";

/** The folders with sources: which files are bundled, each with what it imports, and as what. */
const FOLDERS = [
  { folder: "xlmrxl/views", entries: ["attention.js", "saved_page.js"], format: "esm" },
  { folder: "app/static", entries: ["app.js"], format: "iife" },
  {
    folder: "widgets/static",
    entries: ["attention.js", "choose.js", "classify.js", "fill.js", "result.js", "states.js"],
    format: "esm",
  },
];

/**
 * Style sheets are imported as texts, minified.
 * @type {esbuild.Plugin}
 */
export const styleSheets = {
  name: "style-sheets",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(await readFile(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

/** Return the text of each bundle by its path, relative to the repository. @returns {Promise<Map<string, string>>} */
async function makeBundles() {
  const bundles = new Map();
  for (const { folder, entries, format } of FOLDERS) {
    const { outputFiles } = await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints: entries.map((entry) => join(folder, entry)),
      outdir: join(folder, "built"),
      format: /** @type {esbuild.Format} */ (format),
      bundle: true,
      minify: true,
      charset: "utf8",
      target: "es2022",
      legalComments: "none",
      banner: { js: `// ${NOTICE}` },
      plugins: [styleSheets],
      write: false,
    });
    for (const { path, text } of outputFiles) bundles.set(relative(ROOT, path).replaceAll("\\", "/"), text);
  }
  return bundles;
}

/** Return the paths of the files that lie where bundles do. */
function listBuilt() {
  const folders = FOLDERS.map(({ folder }) => join(folder, "built")).filter((folder) => existsSync(join(ROOT, folder)));
  return folders.flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`));
}

/** Return what is wrong with the bundles that lie here, a line for each. @param {Map<string, string>} bundles */
function findStale(bundles) {
  const wrong = listBuilt().filter((path) => !bundles.has(path)).map((path) => `${path} is built from nothing`);
  for (const [path, text] of bundles) {
    if (!existsSync(join(ROOT, path))) wrong.push(`${path} is missing`);
    else if (readFileSync(join(ROOT, path), "utf8") !== text) wrong.push(`${path} is not what its sources give`);
  }
  return wrong;
}

async function main() {
  const bundles = await makeBundles();
  if (process.argv.includes("--check")) {
    const stale = findStale(bundles);
    if (!stale.length) return;
    console.error(`${stale.join("\n")}\nBuild them anew with: make bundles`);
    process.exitCode = 1;
    return;
  }
  for (const path of listBuilt()) if (!bundles.has(path)) await rm(join(ROOT, path));
  for (const [path, text] of bundles) {
    await mkdir(dirname(join(ROOT, path)), { recursive: true });
    await writeFile(join(ROOT, path), text);
    console.log(`${String(Buffer.byteLength(text)).padStart(8)} bytes  ${path}`);
  }
}

if (process.argv[1] && basename(process.argv[1]) === "build.js") await main();
