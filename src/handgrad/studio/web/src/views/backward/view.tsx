// The backward pass: verdict, steps, graph, source and what there is to say about the current step.
import { useMemo, useState } from "preact/hooks";
import { useKeys } from "../../hooks";
import { markOf, type State, type Step } from "./data";
import { Editor } from "./editor";
import { Graph } from "./graph";
import { Inspector } from "./inspector";
import { Steps } from "./steps";

export function Backward({ state }: { state: State }) {
  const { judged, document, error } = state;
  const steps = judged?.steps ?? [];
  const [at, setAt] = useCurrent(steps);
  const go = (to: number) => setAt(Math.min(Math.max(to, 0), steps.length - 1));
  const nextWrong = () => {
    const wrong = steps.flatMap((step, i) => (markOf(step) === "wrong" || markOf(step) === "warning" ? [i] : []));
    const next = wrong.find((i) => i > at) ?? wrong[0];
    if (next !== undefined) setAt(next);
  };
  useKeys({
    ArrowRight: () => go(at + 1),
    ArrowLeft: () => go(at - 1),
    Home: () => go(0),
    End: () => go(steps.length - 1),
    w: nextWrong,
  });
  const step = steps[at];
  return (
    <div class="backward">
      <Verdict state={state} nextWrong={nextWrong} />
      {judged && steps.length > 0 && <Steps steps={steps} at={at} go={go} />}
      {judged && <Graph judged={judged} step={step} go={(node) => go(indexOf(steps, node, at))} />}
      <div class="below">
        {document && <Editor document={document} steps={steps} step={step} go={(i) => go(i)} />}
        {judged && step && <Inspector judged={judged} step={step} />}
        {!judged && <div class="panel waiting">{error ?? "Running the program …"}</div>}
      </div>
    </div>
  );
}

function Verdict({ state, nextWrong }: { state: State; nextWrong: () => void }) {
  const { status, judged, document, error } = state;
  const kind = error ? "failed" : !judged ? "waiting" : judged.right ? "right" : "wrong";
  const said = error ?? judged?.summary ?? "Running the program …";
  return (
    <div class={`verdict verdict-${kind}`} role="status" aria-live="polite">
      <b class="file">{document?.file ?? "The file is gone"}</b>
      <span class="said">
        <i class="glyph">{kind === "right" ? "✓" : kind === "waiting" ? "…" : "✕"}</i> {said}
      </span>
      {judged && !judged.right && !error && (
        <button class="quiet" onClick={nextWrong} title="w">
          Show the line
        </button>
      )}
      {judged && judged.loss !== null && <span class="loss">loss {judged.loss.toFixed(4)}</span>}
      <span class={`busy ${status === "judging" ? "" : "busy-done"}`}>{status === "judging" ? "judging …" : "judged"}</span>
    </div>
  );
}

/** Which step is shown: the first wrong one of a new program, the same gradient after a save. */
function useCurrent(steps: Step[]): [number, (at: number) => void] {
  const [gradient, setGradient] = useState<{ name: string; at: number } | null>(null);
  const initial = useMemo(() => {
    const wrong = steps.findIndex((step) => markOf(step) === "wrong");
    return wrong >= 0 ? wrong : Math.max(steps.findIndex((step) => markOf(step) === "warning"), 0);
  }, [steps]);
  let at = initial;
  if (gradient) {
    const same = steps[gradient.at]?.gradient === gradient.name ? gradient.at : -1;
    at = same >= 0 ? same : steps.findIndex((step) => step.gradient === gradient.name);
    if (at < 0) at = initial;
  }
  return [at, (to) => steps[to] && setGradient({ name: steps[to]!.gradient, at: to })];
}

/** The step of a node: the one after the current where there are several. */
function indexOf(steps: Step[], node: string, at: number): number {
  const found = steps.flatMap((step, i) => (step.node === node ? [i] : []));
  return found.find((i) => i > at) ?? found[0] ?? at;
}
