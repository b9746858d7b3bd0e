// How the gradients come about, step by step.
import { useEffect, useRef } from "preact/hooks";
import { useShow, useTopic } from "../../hooks";
import { Formula } from "../../parts/formula";
import type { View } from "..";
import type { Derivation, Prose, Step } from "./data";

export const derivation: View<Derivation> = {
  name: "derivation",
  title: "Derivation",
  useState: () => useTopic<Derivation>("derivation"),
  View: Page,
};

function Page({ state, wanted }: { state: Derivation; wanted: string | null }) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (wanted) list.current?.querySelector(`[data-gradient="${CSS.escape(wanted)}"]`)?.scrollIntoView({ block: "center" });
  }, [wanted]);
  if (state.error) return <p class="waiting">{state.error}</p>;
  return (
    <div class="derivation" ref={list}>
      {state.without && <p class="aside">{state.without}</p>}
      {state.opening?.map((prose, i) => (
        <p key={i} class="opening">
          <Sentence prose={prose} />
        </p>
      ))}
      {state.steps?.map((step, i) => (
        <StepCard key={i} step={step} wanted={step.gradient === wanted} />
      ))}
      {!state.steps && state.lines && (
        <pre class="panel lines">{state.lines.map((line) => line.source).join("\n")}</pre>
      )}
      {state.summary && <p class="aside">{state.summary}.</p>}
      {state.notes?.map((note, i) => (
        <p key={i} class="aside">
          {note}
        </p>
      ))}
    </div>
  );
}

function StepCard({ step, wanted }: { step: Step; wanted: boolean }) {
  const show = useShow();
  return (
    <article class={`panel derived ${wanted ? "derived-wanted" : ""}`} data-gradient={step.gradient}>
      <h2>
        <button class="plain" onClick={() => show({ view: "backward", gradient: step.gradient })}>
          {step.gradient}
        </button>
        <small>{step.check}</small>
      </h2>
      <p class="uses">
        <code>{step.variable}</code> is used in{" "}
        {step.uses.map((use, i) => (
          <span key={i}>
            {i > 0 && (i === step.uses.length - 1 ? " and " : ", ")}
            <code>{use.text}</code> ({use.cell ? `cell ${use.cell}, ` : ""}line {use.line})
          </span>
        ))}
      </p>
      <Formula latex={step.latex} display />
      {step.reasons.length > 0 && (
        <ol>
          {step.reasons.map((reasons, i) => (
            <li key={i}>
              {reasons.map((prose, k) => (
                <span key={k}>
                  {k > 0 && "; "}
                  <Sentence prose={prose} />
                </span>
              ))}
            </li>
          ))}
        </ol>
      )}
      {step.matrix && (
        <p>
          As matrices: <Formula latex={step.matrix} />
        </p>
      )}
      {step.notes.map((note, i) => (
        <p key={i} class="aside">
          <Sentence prose={note} />
        </p>
      ))}
    </article>
  );
}

export function Sentence({ prose }: { prose: Prose }) {
  return (
    <>
      {prose.map(([kind, text], i) =>
        kind === "latex" ? <Formula key={i} latex={text} /> : kind === "code" ? <code key={i}>{text}</code> : text,
      )}
    </>
  );
}
