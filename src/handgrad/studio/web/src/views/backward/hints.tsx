// Hints by degrees: the line, what kind of mistake it is, the rule, then what it should be.
import { Said } from "../../parts/said";
import { markOf, type Judged, type Repair, type Step } from "./data";

export type Level = 1 | 2 | 3 | 4;

interface Props {
  judged: Judged;
  step: Step;
  level: Level;
  reveal: (level: Level) => void;
  mend: ((repair: Repair) => void) | null;
  hasRule: boolean;
}

export function Hints({ judged, step, level, reveal, mend, hasRule }: Props) {
  const { diagnosis } = step;
  const names = step.undoes.map((id) => judged.passes[step.pass]!.nodes.find((node) => node.id === id)?.name ?? "");
  const repairs = diagnosis.flatMap(({ repair }) => (repair ? [repair] : []));
  const answers = repairs.length > 0 || diagnosis.some((one) => one.leftOver || one.message !== one.hint);
  const next = ([2, 3, 4] as Level[]).find(
    (one) => one > level && (one === 2 ? diagnosis.length > 0 : one === 3 ? hasRule : answers),
  );
  const answer = repairs.length > 0 ? "Show the right line" : "Show what it should be";
  const offers = { 1: "", 2: "What kind of mistake?", 3: "Show the rule", 4: answer };
  return (
    <div class={`hints hints-${markOf(step)}`}>
      <p class="place">
        {step.cell ? `cell ${step.cell}, ` : ""}
        {step.line ? `line ${step.line}: ` : ""}
        <code>{step.text.split("\n")[0]}</code>
      </p>
      {level >= 2 &&
        diagnosis.map((one, i) => (
          <div key={i}>
            <p class="sentence"><Said text={sentence(level < 4 ? one.hint : one.message, step)} /></p>
            {level >= 4 && one.leftOver && <p class="left-over">Left over: <Said text={one.leftOver} /></p>}
          </div>
        ))}
      {level < 2 && names.length > 0 && (
        <p>
          <code>{step.name}</code> is used for {names.join(" and ")}: look at {names.length > 1 ? "these paths" : "this path"} again.
        </p>
      )}
      {level >= 4 &&
        repairs.map((repair, i) => (
          <p key={i} class="repair">
            <code>{repair.text}</code>
            {mend && (
              <button class="quiet" onClick={() => mend(repair)}>
                Put it into the program
              </button>
            )}
          </p>
        ))}
      {next && (
        <button class="quiet" onClick={() => reveal(next)}>
          {offers[next]}
        </button>
      )}
    </div>
  );
}

const sentence = (text: string, step: Step) =>
  text.startsWith(step.gradient) ? text : text.charAt(0).toUpperCase() + text.slice(1);
