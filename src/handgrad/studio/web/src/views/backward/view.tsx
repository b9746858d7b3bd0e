// The backward pass: verdict, steps, graph, source and what there is to say about the current step.
import { useEffect, useMemo, useState } from "preact/hooks";
import { useConnection, useKeys, useTopic } from "../../hooks";
import type { Derivation } from "../derivation/data";
import { markOf, type Graph as Values, type Repair, type State, type Step } from "./data";
import { Editor } from "./editor";
import { Graph } from "./graph";
import type { Level } from "./hints";
import { Inspector } from "./inspector";
import { Notices } from "./notices";
import { Steps } from "./steps";

export function Backward({ state, wanted }: { state: State; wanted: string | null }) {
  const { judged, document, error } = state;
  const steps = judged?.steps ?? [];
  const [at, setAt] = useCurrent(steps, wanted);
  const [levels, setLevels] = useState<Record<string, Level>>({});
  const [repair, setRepair] = useState<Repair | null>(null);
  const editable = ["live", "lost", "ended"].includes(useConnection());
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
  const mend = editable ? (repair: Repair) => setRepair({ ...repair }) : null;
  const level = step ? (levels[step.gradient] ?? (state.hint === 3 ? 4 : (state.hint as Level))) : 1;
  const graph = judged?.passes[step?.pass ?? 0];
  const products = useProducts(graph, step, level);
  return (
    <div class="backward">
      {judged && steps.length > 0 && <Steps steps={steps} at={at} go={go} />}
      {judged && <Notices judged={judged} mend={mend} />}
      {graph && <Graph graph={graph} steps={steps} step={step} products={products} go={(node) => go(indexOf(steps, node, at))} />}
      <div class="below">
        {document && <Editor document={document} steps={steps} hazards={judged?.hazards ?? []} step={step} go={go} repair={repair} editable={editable} />}
        {judged && step && (
          <Inspector
            judged={judged}
            step={step}
            number={at}
            level={level}
            reveal={(level) => setLevels({ ...levels, [step.gradient]: level })}
            mend={mend}
          />
        )}
        {!judged && <div class="panel waiting">{error ?? "Running the program …"}</div>}
        {judged && !step && <div class="panel waiting">No gradient was found that is written by hand.</div>}
      </div>
    </div>
  );
}

/** Which step is shown: the first wrong one of a new program, the same gradient after a save. */
function useCurrent(steps: Step[], wanted: string | null): [number, (at: number) => void] {
  const [gradient, setGradient] = useState<{ name: string; at: number } | null>(null);
  useEffect(() => {
    if (wanted) setGradient({ name: wanted, at: -1 });
  }, [wanted]);
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

/** What each path sends back, as `derive` writes it; nothing where that is what the reader is to find. */
function useProducts(graph: Values | undefined, step: Step | undefined, level: Level): Map<string, string> {
  const derivation = useTopic<Derivation>("derivation");
  return useMemo(() => {
    const found = new Map<string, string>();
    if (!graph || !step || !(["right", "inherited"].includes(markOf(step)) || level >= 4)) return found;
    for (const id of step.undoes) {
      const node = graph.nodes.find((one) => one.id === id);
      const line = derivation?.lines?.find(
        ({ gradient, undoes }) => gradient === `d${step.name}` && undoes?.line === node?.line && undoes?.cell === node?.cell,
      );
      const product = line?.source.split("\n").pop()?.replace(/^[^=+]*\+?= */, "");
      if (product) found.set(id, product);
    }
    return found;
  }, [derivation, graph, step, level]);
}

/** The step of a node: the one after the current where there are several. */
function indexOf(steps: Step[], node: string, at: number): number {
  const found = steps.flatMap((step, i) => (step.node === node ? [i] : []));
  return found.find((i) => i > at) ?? found[0] ?? at;
}
