// Runs the tests in tests/js with the test runner of node, each bundled with the modules that it imports: these lie in Python
// packages, where node would not take them for modules, and they import style sheets.

import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { styleSheets } from "./build.js";

const HERE = dirname(fileURLToPath(import.meta.url));
const TESTS = join(HERE, "../tests/js");
const OUT = join(HERE, "node_modules/.tests");

rmSync(OUT, { recursive: true, force: true });
const { metafile } = await esbuild.build({
  absWorkingDir: HERE,
  entryPoints: readdirSync(TESTS)
    .filter((name) => name.endsWith(".test.js"))
    .map((name) => join(TESTS, name)),
  outdir: OUT,
  outExtension: { ".js": ".mjs" },
  format: "esm",
  platform: "node",
  target: "node18",
  bundle: true,
  sourcemap: "inline",
  metafile: true,
  plugins: [styleSheets],
});
const files = Object.keys(metafile.outputs).map((path) => join(HERE, path));
const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", "--test-reporter=spec", ...files], { stdio: "inherit" });
process.exitCode = status ?? 1;
