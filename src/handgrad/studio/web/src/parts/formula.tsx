// A formula in LaTeX.
import katex from "katex";
import "katex/dist/katex.min.css";
import { useMemo } from "preact/hooks";

export function Formula({ latex, display = false }: { latex: string; display?: boolean }) {
  const html = useMemo(
    () => katex.renderToString(latex, { displayMode: display, throwOnError: false, strict: false, trust: false }),
    [latex, display],
  );
  return <span class={display ? "formula formula-display" : "formula"} dangerouslySetInnerHTML={{ __html: html }} />;
}
