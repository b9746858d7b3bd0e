// Lines drawn at each checkpoint with the same random numbers, so that one sees the same line become better.
import { useAnswer } from "../../hooks";
import { about, count, type Checkpoint, type Run, type Samples as Drawn } from "./data";

const MOST = 5;

interface Props {
  run: Run;
  checkpoint: Checkpoint;
  choose: (one: Checkpoint) => void;
}

export function Samples({ run, checkpoint, choose }: Props) {
  const columns = some(run.checkpoints, checkpoint);
  return (
    <section class="panel samples">
      <h2>
        Samples <small>the same random numbers in each column</small>
      </h2>
      <div class="samples-columns">
        {columns.map((one) => (
          <Column key={one.id} run={run} checkpoint={one} here={one.id === checkpoint.id} choose={() => choose(one)} />
        ))}
      </div>
    </section>
  );
}

function Column({ run, checkpoint, here, choose }: { run: Run; checkpoint: Checkpoint; here: boolean; choose: () => void }) {
  const { value, error } = useAnswer<Drawn>("training", { what: "samples", ...about({ run, checkpoint }) }, null);
  return (
    <div class={`samples-column ${here ? "here" : ""}`}>
      <button class="samples-head" aria-current={here} onClick={choose}>
        {checkpoint.step ? `step ${count(checkpoint.step)}` : run.planned ? "start" : "now"}
      </button>
      {(error ?? value?.without) && <p class="note">{error ?? value?.without}</p>}
      {!value && !error && <p class="aside">drawing …</p>}
      <ol>
        {value?.lines?.map((line, i) => (
          <li key={i} title={line}>
            {line || " "}
          </li>
        ))}
      </ol>
    </div>
  );
}

/** The first and the last checkpoint, the one that is shown, and others between them. */
function some(all: Checkpoint[], shown: Checkpoint): Checkpoint[] {
  if (all.length <= MOST) return all;
  const kept = new Set([0, all.length - 1, all.findIndex((one) => one.id === shown.id)]);
  for (let i = 1; kept.size < MOST && i < 100; i++) kept.add(Math.round((i * (all.length - 1)) / (MOST - 1)) % all.length);
  return [...kept].sort((a, b) => a - b).map((i) => all[i]!);
}
