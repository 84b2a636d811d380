/**
 * Builds the two windows into `static/`, which the server serves under `/static/`.
 *
 * Names carry a hash of the content, so the server lets browsers keep them for ever; `pages.py` finds them through the manifest.
 * Each file that shrinks is also written gzipped, so that no request pays for compression.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const OUT = "static";
const SHRINKS = /\.(js|mjs|css|svg)$/;

function gzipped(): Plugin {
  return {
    name: "gzipped",
    apply: "build",
    closeBundle() {
      const folder = join(import.meta.dirname, OUT, "assets");
      for (const name of readdirSync(folder)) {
        if (SHRINKS.test(name)) writeFileSync(join(folder, `${name}.gz`), gzipSync(readFileSync(join(folder, name)), { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  base: "/static/",
  publicDir: false,
  plugins: [gzipped()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    manifest: "manifest.json",
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
    rolldownOptions: { input: { map: "src/map/main.ts", recipient: "src/recipient/main.ts", reference: "src/reference/main.ts" } },
  },
});
