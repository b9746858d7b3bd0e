// Runs side by side: curves above, and below what the chosen checkpoint makes of things.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { SourceContext, useKeys, useSource, useTheme } from "../../hooks";
import { Attention } from "./attention";
import { Curves } from "./curves";
import { Facts } from "./facts";
import { Layers } from "./layers";
import { Letters } from "./letters";
import { look, type Checkpoint, type Run, type State } from "./data";
import { Prompt } from "./prompt";
import { patient } from "./queue";
import { Samples } from "./samples";
import { Scrubber } from "./scrubber";
import { told } from "./status";

const SLIDE_MS = 150;
const LIVE_MS = 2500;

export function Training({ state: { runs } }: { state: State }) {
  const [chosen, choose] = useState(runs[0]!.id);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const run = runs.find((one) => one.id === chosen) ?? runs[0]!;
  const [checkpoint, setCheckpoint] = useCheckpoint(run);
  const [prompt, setPrompt] = useState("");
  const source = useSource();
  const asked = useMemo(() => patient(source), [source]);
  const places = run.checkpoints;
  const at = places.findIndex((one) => one.id === checkpoint?.id);
  const go = (to: number) => places[to] && setCheckpoint(places[to]!);
  useKeys({ ArrowLeft: () => go(at - 1), ArrowRight: () => go(at + 1), Home: () => go(0), End: () => go(places.length - 1) });
  const live = run.status === "training" && at === places.length - 1;
  const seen = useNowAndThen(checkpoint, live ? LIVE_MS : SLIDE_MS);
  const shown = checkpoint && { run, checkpoint: places.find((one) => one.id === seen?.id) ?? checkpoint };
  const toggle = (id: string) => {
    const next = new Set(hidden);
    if (!next.delete(id)) next.add(id);
    setHidden(next);
  };
  return (
    <div class="training">
      <RunList runs={runs} chosen={run} choose={choose} hidden={hidden} toggle={toggle} />
      {run.said && (
        <p class="note" role="alert">
          {run.said}
        </p>
      )}
      <div class="training-top">
        <Curves
          runs={runs}
          hidden={hidden}
          chosen={run}
          step={checkpoint?.step ?? null}
          pick={(step) => {
            const gaps = places.map((one) => Math.abs(one.step - step));
            go(gaps.indexOf(Math.min(...gaps)));
          }}
        />
        <Facts run={run} />
      </div>
      {checkpoint ? (
        <Scrubber run={run} at={at} go={go} />
      ) : (
        run.status !== "damaged" && <p class="note">No checkpoint is there yet: the first comes some seconds after training has begun.</p>
      )}
      {shown && (
        <SourceContext.Provider value={asked}>
          <div class="training-pair">
            <Samples {...shown} choose={setCheckpoint} />
            <Prompt {...shown} prompt={prompt} setPrompt={setPrompt} />
          </div>
          <Layers {...shown} />
          <div class="training-pair">
            <Letters {...shown} />
            <Attention {...shown} prompt={prompt} />
          </div>
        </SourceContext.Provider>
      )}
    </div>
  );
}

/** The chosen checkpoint of a run; the newest as long as none is chosen, and the next where it has been left out. */
function useCheckpoint(run: Run): [Checkpoint | null, (one: Checkpoint) => void] {
  const [chosen, setChosen] = useState<{ run: string; step: number } | null>(null);
  const places = run.checkpoints;
  const newest = places[places.length - 1] ?? null;
  const kept = chosen?.run === run.id ? (places.find((one) => one.step >= chosen.step) ?? newest) : newest;
  return [kept, (one) => setChosen(one.id === newest?.id ? null : { run: run.id, step: one.step })];
}

/** A value as it is now and then: no question is asked of what is only slid over, or of each of many that come fast. */
function useNowAndThen<T extends { id: string }>(value: T | null, milliseconds: number): T | null {
  const [seen, setSeen] = useState(value);
  const latest = useRef(value);
  latest.current = value;
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  useEffect(() => {
    if (!seen) return setSeen(value);
    timer.current ??= setTimeout(() => {
      timer.current = null;
      setSeen(latest.current);
    }, milliseconds);
  }, [value?.id]);
  useEffect(() => () => clearTimeout(timer.current ?? undefined), []);
  return seen;
}

interface RunListProps {
  runs: Run[];
  chosen: Run;
  choose: (id: string) => void;
  hidden: ReadonlySet<string>;
  toggle: (id: string) => void;
}

function RunList({ runs, chosen, choose, hidden, toggle }: RunListProps) {
  const theme = useTheme();
  const order = useMemo(() => runs.map((run) => run.id), [runs]);
  if (runs.length < 2) return null;
  return (
    <ul class="runs" aria-label="Runs">
      {runs.map((run) => {
        const { colour, dash } = look(order.indexOf(run.id), theme);
        const seen = !hidden.has(run.id);
        return (
          <li key={run.id} class={`run ${run === chosen ? "run-chosen" : ""} ${seen ? "" : "run-hidden"}`}>
            <button class="run-eye" aria-pressed={seen} aria-label={`${run.name} in the picture`} onClick={() => toggle(run.id)}>
              <svg viewBox="0 0 26 10" aria-hidden="true">
                <line x1="1" x2="25" y1="5" y2="5" stroke={colour} stroke-width="3" stroke-dasharray={dash.join(" ")} />
              </svg>
            </button>
            <button class="run-name" aria-current={run === chosen} onClick={() => choose(run.id)}>
              <b>{run.name}</b> <span>{run.loss.val !== undefined ? run.loss.val.toFixed(4) : told(run)}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
