// Builds the page into ../assets, or, with --check, says whether what stands there is what the sources give.
import { build } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const checking = process.argv.includes("--check");

// KaTeX offers each font in three formats, and some that no formula here needs: browsers take woff2.
const fonts = {
  name: "fonts",
  setup(build) {
    const needed = /KaTeX_(Main|Math|AMS|Size\d)-/;
    build.onLoad({ filter: /katex(\.min)?\.css$/ }, async ({ path }) => {
      const css = await readFile(path, "utf8");
      const faces = css.replace(/@font-face\{[^}]*\}/g, (face) =>
        needed.test(face) ? face.replace(/src:[^;}]*?(url\([^)]*woff2\)[^,;}]*)[^;}]*/, "src:$1") : "",
      );
      return { contents: faces, loader: "css" };
    });
  },
};

// In a notebook the page stands among others: its styles are for what is inside it alone.
const scoped = {
  name: "scoped",
  setup(build) {
    build.onLoad({ filter: /src\/style\/\w+\.css$/ }, async ({ path }) => {
      const css = await readFile(path, "utf8");
      const whole = /(index|page)\.css$/.test(path);
      return { contents: whole ? css : `.handgrad-studio {\n${css}\n}`, loader: "css" };
    });
  },
};

const result = await build({
  absWorkingDir: here("."),
  entryPoints: { studio: "src/main.tsx" },
  outdir: here("../assets"),
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  charset: "utf8",
  legalComments: "none",
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".woff2": "dataurl" },
  plugins: [fonts, scoped],
  write: false,
  metafile: true,
  logLevel: "warning",
});

let stale = false;
for (const { path, contents } of result.outputFiles) {
  if (checking) {
    const stands = await readFile(path).catch(() => Buffer.alloc(0));
    if (!stands.equals(Buffer.from(contents))) {
      console.error(`${path} is not what the sources give: run 'make studio'.`);
      stale = true;
    }
  } else {
    await writeFile(path, contents);
    console.log(path, contents.length);
  }
}
process.exit(stale ? 1 : 0);
