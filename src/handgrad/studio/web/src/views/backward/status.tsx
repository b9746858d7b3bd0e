// The verdict, at a glance.
import type { State } from "./data";

export function Status({ state: { status, judged, document, error } }: { state: State }) {
  const kind = error ? "failed" : !judged ? "waiting" : judged.right ? "right" : "wrong";
  const glyph = { failed: "✕", waiting: "…", right: "✓", wrong: "✕" }[kind];
  return (
    <div class={`verdict verdict-${kind}`} role="status" aria-live="polite">
      <b class="file">{document?.file ?? "The file is gone"}</b>
      <span class="said">
        <i class="glyph">{glyph}</i> {error ?? judged?.summary ?? "Running the program …"}
      </span>
      {judged && judged.loss !== null && <span class="loss">loss {judged.loss.toFixed(4)}</span>}
      {status === "judging" && <span class="busy">judging …</span>}
    </div>
  );
}
