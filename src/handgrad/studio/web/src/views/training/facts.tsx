// What a run is, and how good.
import { count, type Run } from "./data";
import { told } from "./status";

export function Facts({ run }: { run: Run }) {
  const facts: [string, string | null][] = [
    ["model", run.model],
    ["trained on", run.text],
    ["parameters", run.parameters === null ? null : run.parameters ? count(run.parameters) : "counted, not trained"],
    ["steps", run.steps ? `${count(Math.max(run.steps, run.last))}${run.planned && run.status !== "finished" ? ` of ${count(run.planned)}` : ""}` : null],
    ["time", run.seconds ? `${run.seconds >= 10 ? Math.round(run.seconds) : run.seconds.toFixed(1)} s` : null],
    ["begun", run.created && run.created.slice(0, 16).replace("T", " ")],
  ];
  const losses: [string, number | undefined][] = [
    ["train", run.loss.train],
    ["validation", run.loss.val],
    ["test", run.loss.test],
  ];
  return (
    <section class="panel facts" aria-label="The run">
      <p class={`facts-status facts-${run.status}`}>{told(run)}</p>
      {run.planned && (run.status === "training" || run.status === "unfinished") && run.last > 0 && <progress max={run.planned} value={run.last} aria-label="Steps" />}
      {losses.some(([, loss]) => loss !== undefined) && (
        <div class="facts-losses">
          {losses.map(
            ([name, loss]) =>
              loss !== undefined && (
                <div key={name}>
                  <b>{loss.toFixed(3)}</b>
                  <span>{name}</span>
                </div>
              ),
          )}
        </div>
      )}
      <dl>
        {facts.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      <p class="aside">Losses are in nats a character.</p>
    </section>
  );
}
