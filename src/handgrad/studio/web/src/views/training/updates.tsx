// How large the update of each parameter is beside its values, now and through the checkpoints.
import { useState } from "preact/hooks";
import { useAnswer } from "../../hooks";
import { number, shape } from "../../parts/numbers";
import { about, count, type Parameter, type Ratios, type Shown } from "./data";

const LOW = -7;
const TOP = 0;
const GOAL = -3;
const across = (ratio: number) => (100 * (Math.min(Math.max(ratio, LOW), TOP) - LOW)) / (TOP - LOW);

export function Updates({ run, checkpoint, parameters }: Shown & { parameters: Parameter[] }) {
  const [over, setOver] = useState<string | null>(null);
  const known = parameters.some((one) => one.ratio !== null);
  return (
    <section class="panel updates">
      <h2>
        Updates <small>of the next step, beside the values</small>
      </h2>
      {!known && <p class="note">The moments of Adam are kept for the newest state alone, so updates are not known at this checkpoint.</p>}
      <ul>
        {parameters.map((one) => (
          <li
            key={one.name}
            class={one.name === over ? "here" : ""}
            title={`${one.name}, ${shape(one.shape)}: values ${number(one.value)}, gradients ${number(one.gradient)} (standard deviations)`}
            onPointerEnter={() => setOver(one.name)}
            onPointerLeave={() => setOver(null)}
          >
            <b>{one.name}</b>
            <span class="ratio">
              <i class="ratio-goal" style={{ left: `${across(GOAL)}%` }} />
              {one.ratio !== null && <em style={{ left: `${across(one.ratio)}%` }} />}
            </span>
            <span class="figure">{one.ratio === null ? "–" : one.ratio.toFixed(1).replace("-", "−")}</span>
          </li>
        ))}
      </ul>
      <p class="ratio-axis" aria-hidden="true">
        <span>10⁻⁷</span>
        <span style={{ left: `${across(GOAL)}%` }}>10⁻³</span>
        <span>1</span>
      </p>
      {run.checkpoints.length > 2 && <Paths run={run} checkpoint={checkpoint} over={over} />}
      <p class="aside">
        log10 of the standard deviation of an update over that of the values. About −3 is a good pace; with much less it hardly learns. At the end of a run the rate has
        fallen, and the updates with it.
      </p>
    </section>
  );
}

const WIDE = 300;
const HIGH = 120;
const LEFT = 26;

/** The ratios of the weight matrices, checkpoint after checkpoint. */
function Paths({ run, checkpoint, over }: Shown & { over: string | null }) {
  const newest = run.checkpoints[run.checkpoints.length - 1]!;
  const { value } = useAnswer<Ratios>("training", { what: "updates", ...about({ run, checkpoint: newest }) }, null);
  if (!value?.ratios || value.steps.length < 3) return null;
  const { steps, ratios } = value;
  const all = Object.values(ratios).flatMap((row) => row.filter((one) => one !== null));
  const low = Math.max(Math.floor(Math.min(...all, GOAL)), LOW);
  const high = Math.ceil(Math.max(...all, GOAL));
  const x = (step: number) => LEFT + ((WIDE - LEFT - 4) * step) / Math.max(steps[steps.length - 1]!, 1);
  const y = (ratio: number) => 6 + ((HIGH - 22) * (high - Math.max(ratio, low))) / Math.max(high - low, 1);
  const marks = [high, GOAL, low].filter((one, i, list) => list.indexOf(one) === i);
  return (
    <svg class="paths" viewBox={`0 0 ${WIDE} ${HIGH}`} role="img" aria-label={`Ratios of ${Object.keys(ratios).join(", ")} at ${steps.length} checkpoints`}>
      {marks.map((one) => (
        <g key={one} class={one === GOAL ? "goal" : ""}>
          <line x1={LEFT} x2={WIDE} y1={y(one)} y2={y(one)} />
          <text x={LEFT - 5} y={y(one)}>
            {String(one).replace("-", "−")}
          </text>
        </g>
      ))}
      <line class="now" x1={x(checkpoint.step)} x2={x(checkpoint.step)} y1={0} y2={HIGH - 14} />
      {Object.entries(ratios).map(([name, row]) => (
        <polyline
          key={name}
          class={over === name ? "over" : ""}
          points={row.map((ratio, i) => (ratio === null ? "" : `${x(steps[i]!)},${y(ratio)}`)).join(" ")}
        >
          <title>{name}</title>
        </polyline>
      ))}
      <text class="end" x={WIDE} y={HIGH - 4}>
        step {count(steps[steps.length - 1]!)}
      </text>
    </svg>
  );
}
