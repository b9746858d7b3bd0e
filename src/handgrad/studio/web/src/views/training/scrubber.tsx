// The checkpoints, from the values before the first step to the newest.
import { count, type Run } from "./data";

export function Scrubber({ run, at, go }: { run: Run; at: number; go: (to: number) => void }) {
  const places = run.checkpoints;
  const here = places[at]!;
  const words = [here.step === 0 && run.planned ? "before the first step" : here.step ? `after step ${count(here.step)}` : "as it was counted or mixed"];
  if (here.step && here.step === run.best) words.push("the run's model");
  if (at === places.length - 1 && run.status === "training") words.push("the newest so far");
  return (
    <div class="panel scrubber">
      <b>Checkpoint</b>
      {places.length > 1 && (
        <>
          <button class="quiet" disabled={at <= 0} onClick={() => go(at - 1)} aria-label="Earlier checkpoint">
            ◀
          </button>
          <span class="scrubber-track">
            <input
              type="range"
              min={0}
              max={places.length - 1}
              value={at}
              aria-label="Checkpoint"
              aria-valuetext={words.join(", ")}
              onInput={(event) => go(Number(event.currentTarget.value))}
            />
            <span class="scrubber-stops" aria-hidden="true">
              {places.map((one, i) => (
                <i key={one.id} class={i === at ? "here" : ""} style={{ left: `${(100 * i) / (places.length - 1)}%` }}>
                  {one.step === run.best ? "★" : ""}
                </i>
              ))}
            </span>
          </span>
          <button class="quiet" disabled={at >= places.length - 1} onClick={() => go(at + 1)} aria-label="Later checkpoint">
            ▶
          </button>
        </>
      )}
      <span class="scrubber-said">{words.join(" · ")}</span>
    </div>
  );
}
