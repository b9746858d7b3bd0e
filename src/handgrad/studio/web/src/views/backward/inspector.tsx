// What there is to say about the current line: where it comes from, yours and the right one, and one element as a sum.
import { useEffect, useState } from "preact/hooks";
import { useAnswer } from "../../hooks";
import { Heat } from "../../parts/heat";
import { at, number, shape } from "../../parts/numbers";
import { GLYPHS, markOf, WORDS, type Detail, type Element, type Judged, type Step } from "./data";

export function Inspector({ judged, step }: { judged: Judged; step: Step }) {
  const [cell, setCell] = useState<[number, number] | null>(null);
  useEffect(() => setCell(null), [step.node]);
  const detail = useAnswer<Detail>("backward", { what: "detail", node: step.node }, judged);
  const element = useAnswer<Element>("backward", { what: "element", node: step.node, cell }, judged);
  const mark = markOf(step);
  const name = (id: string) => judged.nodes.find((node) => node.id === id)?.name ?? "";
  return (
    <section class="inspector panel" aria-label={`The gradient ${step.gradient}`}>
      <h2>
        <span class={`pill mark-${mark}`}>
          <i class="glyph">{GLYPHS[mark]}</i> {WORDS[mark]}
        </span>
        {step.gradient} <small>{shape(step.shape)}</small>
      </h2>
      <p class="undoes">
        the gradient of <code>{step.name}</code>
        {step.undoes.length > 0 && <>, which comes back through {list(step.undoes.map((id) => <code>{name(id)}</code>))}</>}
      </p>
      {step.diagnosis.map((diagnosis, i) => (
        <Hints key={i} diagnosis={diagnosis} step={step} />
      ))}
      {detail.value && <Maps detail={detail.value} step={step} picked={element.value} pick={setCell} />}
      {element.value && <Sum element={element.value} step={step} />}
      {(detail.error ?? element.error) && <p class="waiting">{detail.error ?? element.error}</p>}
    </section>
  );
}

function list(parts: preact.JSX.Element[]) {
  return parts.map((part, i) => (
    <>
      {i > 0 && (i === parts.length - 1 ? " and " : ", ")}
      {part}
    </>
  ));
}

function Hints({ diagnosis, step }: { diagnosis: Step["diagnosis"][number]; step: Step }) {
  const [shown, setShown] = useState(false);
  useEffect(() => setShown(false), [diagnosis]);
  return (
    <div class="hints">
      <p class="place">
        line {diagnosis.line ?? step.line}: <code>{step.text}</code>
      </p>
      <p class="sentence">{diagnosis.message}</p>
      {diagnosis.leftOver && <p class="left-over">Left over: {diagnosis.leftOver}</p>}
      {diagnosis.repair && !shown && (
        <button class="quiet" onClick={() => setShown(true)}>
          Show the right line
        </button>
      )}
      {diagnosis.repair && shown && (
        <p class="repair">
          <code>{diagnosis.repair.text}</code>
        </p>
      )}
    </div>
  );
}

function Maps({ detail, step, picked, pick }: { detail: Detail; step: Step; picked: Element | null; pick: (cell: [number, number]) => void }) {
  const maps = [
    detail.yours && { map: detail.yours, title: "yours" },
    detail.right && { map: detail.right, title: "right" },
    detail.difference && { map: detail.difference, title: "difference" },
  ].filter((one) => !!one);
  const same = markOf(step) === "right";
  const cell = picked && cellOf(picked.index, detail.right!);
  return (
    <div class="maps">
      {(same ? maps.slice(0, 1) : maps).map(({ map, title }) => (
        <figure key={title}>
          <figcaption>
            {same ? "yours, and right" : title} <small>± {number(map.top)}</small>
          </figcaption>
          <Heat map={map} label={`${step.gradient}, ${title}`} width={178} height={150} pick={pick} picked={cell} />
        </figure>
      ))}
    </div>
  );
}

/** The cell of a map in which an element stands. */
function cellOf(index: number[], map: { rows: number; columns: number; shape: number[] }): [number, number] {
  const [first, ...rest] = map.shape.length > 1 ? map.shape : [1, ...map.shape];
  const [row, ...column] = map.shape.length > 1 ? index : [0, ...index];
  const flat = column.reduce((sum, i, k) => sum * rest[k]! + i, 0);
  const width = rest.reduce((product, size) => product * size, 1);
  return [Math.floor(((row ?? 0) * map.rows) / (first || 1)), Math.floor((flat * map.columns) / (width || 1))];
}

const FEW = 8;

function Sum({ element, step }: { element: Element; step: Step }) {
  const [all, setAll] = useState(false);
  useEffect(() => setAll(false), [element]);
  const wrong = element.yours !== null && markOf(step) !== "right";
  return (
    <div class="sum">
      <h3>
        Why {at(step.gradient, element.index)} = {number(element.right, 4)}
      </h3>
      {element.paths.map((path) => (
        <table key={path.through}>
          <caption>
            through <code>{path.name}</code>
            {path.count > 1 && `: ${path.count} terms`}
          </caption>
          <tbody>
            {(path.terms ?? []).slice(0, all ? undefined : FEW).map((term, i) => (
              <tr key={i}>
                <td>{i ? "+" : ""}</td>
                <td>
                  <code>{at(`d${path.name}`, term.index)}</code>
                </td>
                <td class="n">{number(term.upstream)}</td>
                <td>×</td>
                <td class="n">{number(term.factor)}</td>
                <td>=</td>
                <td class="n">{number(term.upstream * term.factor)}</td>
              </tr>
            ))}
            {path.terms && path.terms.length > FEW && !all && (
              <tr>
                <td colSpan={7}>
                  <button class="quiet" onClick={() => setAll(true)}>
                    {path.terms.length - FEW} more
                  </button>
                </td>
              </tr>
            )}
            <tr class="total">
              <td colSpan={5}>{path.terms && path.count > path.terms.length ? `the ${path.terms.length} largest of ${path.count}` : ""}</td>
              <td>=</td>
              <td class="n">{number(path.sum, 4)}</td>
            </tr>
          </tbody>
        </table>
      ))}
      {wrong && (
        <p class="yours">
          Yours is <b>{number(element.yours, 4)}</b>, off by {number(element.yours! - element.right, 3)}.
        </p>
      )}
    </div>
  );
}
