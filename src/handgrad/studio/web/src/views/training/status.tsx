// How far the first run is, at a glance.
import { count, type Run, type State } from "./data";

export function Status({ state: { runs } }: { state: State }) {
  const run = runs.find((one) => one.status === "training") ?? runs[0];
  if (!run) return null;
  return (
    <div class="verdict" role="status">
      <b class="file">{run.name}</b>
      <span class="said">{told(run)}</span>
    </div>
  );
}

export function told(run: Run): string {
  const steps = count(Math.max(run.steps ?? 0, run.last));
  const of = run.planned && run.status !== "finished" ? ` of ${count(run.planned)}` : "";
  switch (run.status) {
    case "training":
      return `training, step ${steps}${of}`;
    case "unfinished":
      return `not finished, step ${steps}${of}`;
    case "finished":
      return run.steps ? `finished after ${steps} steps` : "finished";
    case "gone":
      return "the folder is gone";
    case "damaged":
      return "cannot be read";
  }
}
