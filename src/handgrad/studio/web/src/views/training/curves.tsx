// The losses of all runs over their steps. What is drawn is asked for anew for each stretch that is looked at.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useConnection, useKeys, useSource, useTheme, type Answer } from "../../hooks";
import { count, look, type Curve, type Run } from "./data";

const POINTS = 400;
const HEIGHT = 320;
/** The share of the steps in which a run falls from guessing, which need not all be seen. */
const SKIPPED = 0.04;

interface Props {
  runs: Run[];
  hidden: ReadonlySet<string>;
  chosen: Run;
  /** That of the checkpoint which is shown. */
  step: number | null;
  pick: (step: number) => void;
}

type Stretch = [first: number, last: number];
type Curves = Record<string, Curve>;

export function Curves({ runs, hidden, chosen, step, pick }: Props) {
  const [log, setLog] = useState(false);
  const [stretch, setStretch] = useState<Stretch | null>(null);
  const [over, setOver] = useState<number | null>(null);
  const seen = runs.filter((run) => run.last > 0);
  const question = seen.length
    ? { what: "curves", runs: seen.map((run) => run.id), points: POINTS, log, ...(stretch && { first: stretch[0], last: stretch[1] }) }
    : null;
  const { value, error } = useNewest<Curves>(question, seen.map((run) => run.version).join());
  const curves = useMemo(() => value && Object.fromEntries(Object.entries(value).filter(([id]) => !hidden.has(id))), [value, hidden]);
  const closer = useConnection() !== "file";
  const whole = Math.max(...seen.map((run) => run.last), 2);
  const scale = (by: number) => {
    if (!closer) return;
    const [first, last] = stretch ?? [1, whole];
    const middle = step !== null && step >= first && step <= last ? step : (first + last) / 2;
    const half = Math.max(((last - first) * by) / 2, 2);
    const from = Math.max(1, Math.min(Math.round(middle - half), Math.round(whole - 2 * half)));
    setStretch(2 * half >= whole - 1 ? null : [from, Math.round(from + 2 * half)]);
  };
  useKeys({ "+": () => scale(0.5), "=": () => scale(0.5), "-": () => scale(2), "0": () => setStretch(null), l: () => setLog(!log) });
  const levels = runs.filter((run) => !hidden.has(run.id) && !run.last && run.loss.val !== undefined);
  return (
    <section class="panel curves">
      <h2>
        Loss <Readout curves={curves} runs={runs} over={over} />
        <span class="bar-space" />
        <label class="check">
          <input type="checkbox" checked={log} onChange={(event) => setLog(event.currentTarget.checked)} /> log steps
        </label>
        {stretch && (
          <button class="quiet" onClick={() => setStretch(null)}>
            Whole run
          </button>
        )}
      </h2>
      {error && <p class="note">{error}</p>}
      {curves && seen.length > 0 ? (
        <Plot {...{ runs, curves, levels, chosen, step, pick, log, stretch, setStretch: closer ? setStretch : () => {}, setOver }} />
      ) : (
        <p class="aside curves-none">
          {seen.length ? "Reading …" : levels.length ? "Nothing here takes steps: a model that counts has no curve." : "There is no curve yet."}
        </p>
      )}
      <p class="aside">
        A line is the training loss{Object.values(curves ?? {}).some((one) => one.means) ? ", in means over windows with their least and greatest loss around it" : ""};
        dots are the validation loss. {closer && "Drag over a stretch, or press + and −, to look closer; "}
        {closer ? "click" : "Click"} to go to a checkpoint.
      </p>
    </section>
  );
}

/** The answer to a question, one asked at a time: what comes in faster than it is answered is left out, not waited for. */
function useNewest<T>(question: object | null, about: string): Answer<T> {
  const source = useSource();
  const [answer, setAnswer] = useState<Answer<T>>({ value: null, error: null });
  const wanted = useRef<string | null>(null);
  const asking = useRef(false);
  const asked = question && JSON.stringify(question);
  useEffect(() => {
    wanted.current = asked && `${about}\n${asked}`;
    const ask = async () => {
      asking.current = true;
      for (let last = null; wanted.current !== last; ) {
        last = wanted.current;
        if (last === null) break;
        try {
          setAnswer({ value: await source.ask<T>("training", JSON.parse(last.slice(last.indexOf("\n")))), error: null });
        } catch (error) {
          setAnswer(({ value }) => ({ value, error: (error as Error).message }));
        }
      }
      asking.current = false;
    };
    if (!asking.current) void ask();
  }, [source, asked, about]);
  return answer;
}

/** The losses where the pointer is. */
function Readout({ curves, runs, over }: { curves: Curves | null; runs: Run[]; over: number | null }) {
  const theme = useTheme();
  if (!curves || over === null) return <small>nats a character</small>;
  return (
    <small class="readout">
      step {count(Math.round(over))}
      {runs.map((run, i) => {
        const curve = curves[run.id];
        const loss = curve && nearest(curve.steps, curve.loss, over);
        const val = curve && nearest(curve.val_steps, curve.val_losses, over);
        return (
          loss !== undefined && (
            <span key={run.id}>
              <i style={{ background: look(i, theme).colour }} /> {loss.toFixed(3)}
              {val !== undefined && ` (validation ${val.toFixed(3)})`}
            </span>
          )
        );
      })}
    </small>
  );
}

function nearest(steps: number[], losses: number[], step: number): number | undefined {
  if (!steps.length || step > steps[steps.length - 1]! * 1.02 + 1) return undefined;
  let low = 0;
  let high = steps.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (steps[middle]! < step) low = middle;
    else high = middle;
  }
  return losses[Math.abs(steps[low]! - step) <= Math.abs(steps[high]! - step) ? low : high];
}

interface PlotProps extends Omit<Props, "hidden"> {
  curves: Curves;
  levels: Run[];
  log: boolean;
  stretch: Stretch | null;
  setStretch: (stretch: Stretch) => void;
  setOver: (step: number | null) => void;
}

function Plot(props: PlotProps) {
  const { runs, curves, levels, chosen, step, log } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = useTheme();
  const latest = useRef(props);
  latest.current = props;
  const shown = runs.filter((run) => curves[run.id]);
  const shape = JSON.stringify([shown.map((run) => [run.id, curves[run.id]!.means]), chosen.id, log, theme]);
  const data = useMemo(() => aligned(shown.map((run) => curves[run.id]!)), [curves]);

  useEffect(() => {
    const width = () => box.current!.clientWidth;
    const made = new uPlot(options({ runs, shown, log, theme, width: width(), curves, chosen, latest, box: box.current! }), data, box.current!);
    plot.current = made;
    const sizes = new ResizeObserver(() => made.setSize({ width: width(), height: HEIGHT }));
    sizes.observe(box.current!);
    return () => {
      sizes.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(data), [data]);
  useEffect(() => plot.current?.redraw(false), [step, levels.map((run) => run.id).join()]);
  return <div class="plot" ref={box} role="img" aria-label={described(shown, curves)} />;
}

function described(runs: Run[], curves: Curves): string {
  const each = runs.map((run) => {
    const { loss, val_losses } = curves[run.id]!;
    const val = val_losses.length ? `, validation ${val_losses[val_losses.length - 1]!.toFixed(3)}` : "";
    return loss.length ? `${run.name} falls from ${loss[0]!.toFixed(3)} to ${loss[loss.length - 1]!.toFixed(3)}${val}` : run.name;
  });
  return `Loss curves: ${each.join("; ")}`;
}

/** Four columns a run, low, high, mean and validation, over all steps that any of them has. */
function aligned(curves: Curve[]): uPlot.AlignedData {
  const tables = curves.flatMap((one): uPlot.AlignedData[] => [
    [one.steps, one.low, one.high, one.loss],
    [one.val_steps, one.val_losses],
  ]);
  return tables.length ? uPlot.join(tables) : [[]];
}

interface Options {
  runs: Run[];
  shown: Run[];
  curves: Curves;
  chosen: Run;
  log: boolean;
  theme: "light" | "dark";
  width: number;
  latest: { current: PlotProps };
  box: HTMLElement;
}

function options({ runs, shown, curves, chosen, log, theme, width, latest, box }: Options): uPlot.Options {
  const style = getComputedStyle(box);
  const ink = style.getPropertyValue("--soft").trim();
  const line = style.getPropertyValue("--line").trim();
  const accent = style.getPropertyValue("--accent").trim();
  const panel = style.getPropertyValue("--panel").trim();
  const font = "12px system-ui, sans-serif";
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  for (const run of shown) {
    const { colour, dash } = look(runs.indexOf(run), theme);
    const bound: uPlot.Series = { show: curves[run.id]!.means, stroke: "transparent", width: 0, points: { show: false } };
    const first = series.length;
    series.push(bound, bound);
    series.push({ stroke: colour, width: run === chosen ? 2 : 1.4, dash, points: { show: false } });
    series.push({ stroke: colour, width: 1, dash: [2, 4], points: { show: true, size: 6, stroke: colour, fill: colour } });
    if (curves[run.id]!.means) bands.push({ series: [first + 1, first], fill: `${colour}22` });
  }
  return {
    width,
    height: HEIGHT,
    padding: [null, 22, null, null],
    legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false }, points: { show: false }, y: false },
    scales: {
      x: { time: false, distr: log ? 3 : 1, range: (_, low, high) => latest.current.stretch ?? [low, high] },
      y: { range: () => heights(latest.current) },
    },
    axes: [
      { ...axis, values: (_, steps) => steps.map((one) => (one === null || (log && !/^[125]0*$/.test(String(one))) ? "" : short(one))) },
      { ...axis, size: 46, values: (_, losses) => losses.map((one) => (Number.isInteger(one * 10) ? one.toFixed(1) : one.toFixed(2))) },
    ],
    series,
    bands,
    hooks: {
      setSelect: [
        (plot) => {
          if (plot.select.width < 4) return;
          const ends = [plot.select.left, plot.select.left + plot.select.width].map((at) => plot.posToVal(at, "x"));
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (ends[1]! - ends[0]! >= 2) latest.current.setStretch([Math.max(1, Math.floor(ends[0]!)), Math.ceil(ends[1]!)]);
        },
      ],
      setCursor: [
        (plot) => latest.current.setOver((plot.cursor.left ?? -1) < 0 ? null : plot.posToVal(plot.cursor.left!, "x")),
      ],
      ready: [
        (plot) => {
          let down = 0;
          plot.over.addEventListener("mousedown", (event) => (down = event.clientX));
          plot.over.addEventListener("click", (event) => {
            if (Math.abs(event.clientX - down) < 4) latest.current.pick(plot.posToVal(event.offsetX, "x"));
          });
        },
      ],
      draw: [
        (plot) => {
          const { step, levels } = latest.current;
          const { ctx, bbox } = plot;
          ctx.save();
          ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
          for (const run of levels) {
            const y = plot.valToPos(run.loss.val!, "y", true);
            const { colour } = look(latest.current.runs.indexOf(run), theme);
            stroke(ctx, colour, [6, 4], [bbox.left, y, bbox.left + bbox.width, y]);
            ctx.textAlign = "right";
            ctx.lineWidth = 4 * devicePixelRatio;
            ctx.strokeStyle = panel;
            ctx.setLineDash([]);
            const said: [string, number, number] = [`${run.name} ${run.loss.val!.toFixed(3)}`, bbox.left + bbox.width - 6, y - 5 * devicePixelRatio];
            ctx.strokeText(...said);
            ctx.fillStyle = colour;
            ctx.fillText(...said);
          }
          const [low, high] = [plot.scales.x!.min!, plot.scales.x!.max!];
          if (step !== null && step >= low && step <= high) {
            const x = plot.valToPos(step, "x", true);
            stroke(ctx, accent, [3, 3], [x, bbox.top, x, bbox.top + bbox.height]);
          }
          ctx.restore();
        },
      ],
    },
  };
}

/** A number of steps where there is little room. */
const short = (steps: number) =>
  steps >= 1e6 && steps % 1e5 === 0 ? `${steps / 1e6}M` : steps >= 1e4 && steps % 100 === 0 ? `${steps / 1e3}k` : count(steps);

function stroke(ctx: CanvasRenderingContext2D, colour: string, dash: number[], [x1, y1, x2, y2]: [number, number, number, number]) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash(dash.map((one) => one * devicePixelRatio));
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}

/** Room for all lines and levels, but for the fall from guessing at the beginning. */
function heights({ curves, levels, log, stretch }: PlotProps): [number, number] {
  const all: number[] = levels.map((run) => run.loss.val!);
  for (const { steps, loss, val_losses } of Object.values(curves)) {
    const skipped = log || stretch ? 0 : Math.floor(steps.length * SKIPPED);
    all.push(...loss.slice(skipped), ...val_losses);
  }
  if (!all.length) return [0, 1];
  const low = Math.min(...all);
  const high = Math.max(...all);
  const edge = 0.06 * (high - low || 1);
  return [low - edge, high + edge];
}
