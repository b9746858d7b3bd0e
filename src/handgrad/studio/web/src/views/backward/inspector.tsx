// What there is to say about the current line: where it comes from, yours and the right one, and one element as a sum.
import { useEffect, useState } from "preact/hooks";
import { useAnswer, useConnection, useShow, useTopic } from "../../hooks";
import { Formula } from "../../parts/formula";
import { Heat } from "../../parts/heat";
import { number, shape } from "../../parts/numbers";
import type { Derivation } from "../derivation/data";
import { GLYPHS, markOf, WORDS, type Detail, type Element, type Judged, type Repair, type Step } from "./data";
import { Hints, type Level } from "./hints";
import { Notes } from "./notices";
import { Sum } from "./sum";

interface Props {
  judged: Judged;
  step: Step;
  /** Of the step. */
  number: number;
  level: Level;
  reveal: (level: Level) => void;
  mend: ((repair: Repair) => void) | null;
}

export function Inspector({ judged, step, number: at, level, reveal, mend }: Props) {
  const alive = useConnection() !== "file";
  const [cell, setCell] = useState<[number, number] | null>(null);
  useEffect(() => setCell(null), [at]);
  const detail = useAnswer<Detail>("backward", { what: "detail", step: at }, judged);
  const element = useAnswer<Element>("backward", { what: "element", step: at, cell }, judged);
  const derivation = useTopic<Derivation>("derivation");
  const derived = derivation?.steps?.find((one) => one.variable === step.name);
  const mark = markOf(step);
  const tells = mark === "right" || mark === "inherited" || level >= 3;
  return (
    <section class="inspector panel" aria-label={`The gradient ${step.gradient}`}>
      <h2>
        <span class={`pill mark-${mark}`}>
          <i class="glyph">{GLYPHS[mark]}</i> {WORDS[mark]}
        </span>
        {step.gradient} <small>{shape(step.shape)}</small>
      </h2>
      <p class="undoes">
        {step.lines.map((line, i) => (
          <code key={i}>{line.text.split("\n")[0]}</code>
        ))}
      </p>
      {derived?.first && tells && <Rule gradient={step.gradient} latex={derived.first} />}
      {mark !== "right" && mark !== "inherited" && (
        <Hints judged={judged} step={step} level={level} reveal={reveal} mend={mend} hasRule={!!derived?.first} />
      )}
      {detail.value && <Maps detail={detail.value} step={step} picked={element.value} pick={alive ? setCell : null} />}
      {element.value && <Sum element={element.value} step={step} />}
      <Notes notes={judged.notes} />
      {(detail.error ?? element.error) && <p class="waiting">{detail.error ?? element.error}</p>}
    </section>
  );
}

function Rule({ gradient, latex }: { gradient: string; latex: string }) {
  const show = useShow();
  return (
    <div class="rule">
      <Formula latex={latex} display />
      <button class="link" onClick={() => show({ view: "derivation", gradient })}>
        how this comes about
      </button>
    </div>
  );
}

interface MapsProps {
  detail: Detail;
  step: Step;
  picked: Element | null;
  pick: ((cell: [number, number]) => void) | null;
}

function Maps({ detail, step, picked, pick }: MapsProps) {
  const all = [
    { map: detail.yours, title: "yours" },
    { map: detail.right, title: "right" },
    { map: detail.difference, title: "difference" },
  ];
  const same = markOf(step) === "right";
  const shown = same ? [{ map: detail.right, title: "yours, and right" }, { map: detail.value, title: step.name }] : all;
  const cell = picked && detail.right ? cellOf(picked.index, detail.right) : null;
  return (
    <div class="maps">
      {shown.map(
        ({ map, title }) =>
          map && (
            <figure key={title}>
              <figcaption>
                {title} <small>{title === "yours" && differs(detail) ? shape(map.shape) : `± ${number(map.top)}`}</small>
              </figcaption>
              <Heat
                map={map}
                label={`${step.gradient}, ${title}`}
                width={178}
                height={150}
                pick={(title !== "yours" || !differs(detail)) && pick ? pick : undefined}
                picked={title === "yours" && differs(detail) ? null : cell}
              />
            </figure>
          ),
      )}
    </div>
  );
}

const differs = ({ yours, right }: Detail) => yours?.shape.join() !== right?.shape.join();

/** The cell of a map in which an element stands. */
function cellOf(index: number[], map: { rows: number; columns: number; shape: number[] }): [number, number] {
  const flat = map.shape.length > 1 ? map.shape : [1, ...map.shape];
  const [row = 0, ...column] = map.shape.length > 1 ? index : [0, ...index];
  const width = flat.slice(1).reduce((product, size) => product * size, 1);
  const place = column.reduce((sum, i, k) => sum * flat[k + 1]! + i, 0);
  return [Math.floor((row * map.rows) / (flat[0] || 1)), Math.floor((place * map.columns) / (width || 1))];
}
