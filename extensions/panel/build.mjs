// Bundle the panel, with uPlot and its licence inside, into the Python package. Users have no node: the result is committed.
import { readFileSync } from "node:fs";
import { build } from "esbuild";

const destination = process.argv[2] ?? new URL("../../workbench/ui/static", import.meta.url).pathname;
const licence = readFileSync(new URL("node_modules/uplot/LICENSE", import.meta.url), "utf8").trim();

const common = {
  absWorkingDir: new URL(".", import.meta.url).pathname,
  outdir: destination,
  bundle: true,
  format: "esm",
  target: ["es2022", "chrome110", "firefox115", "safari16.4"],
  minify: true,
  charset: "utf8",
  legalComments: "none",
};
const note = (name) => `/*! rl-workbench ${name}, MIT. Built from extensions/panel by "npm run build"; do not edit.`;
const banner = `${note("panel")}\n\nContains uPlot:\n\n${licence}\n*/`;

await build({
  ...common,
  entryPoints: [
    { in: "src/index.ts", out: "panel" },
    { in: "src/panel.css", out: "panel" },
  ],
  banner: { js: banner, css: banner },
});
await build({
  ...common,
  entryPoints: [
    { in: "src/dashboard/index.ts", out: "dashboard" },
    { in: "src/dashboard/dashboard.css", out: "dashboard" },
  ],
  banner: { js: banner.replace("panel,", "dashboard,"), css: banner.replace("panel,", "dashboard,") },
});
await build({
  ...common,
  entryPoints: [{ in: "src/picture/index.ts", out: "picture" }],
  banner: { js: `${note("picture")} */` },
});
