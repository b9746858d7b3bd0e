// All lines of the backward pass as one strip, and the buttons that go through it.
import { useEffect, useRef } from "preact/hooks";
import { GLYPHS, markOf, WORDS, type Step } from "./data";

export function Steps({ steps, at, go }: { steps: Step[]; at: number; go: (to: number) => void }) {
  const strip = useRef<HTMLOListElement>(null);
  useEffect(() => {
    const list = strip.current;
    const current = list?.children[at] as HTMLElement | undefined;
    if (list && current) list.scrollTo({ left: current.offsetLeft - (list.clientWidth - current.offsetWidth) / 2 });
  }, [at]);
  return (
    <nav class="steps" aria-label="Lines of the backward pass">
      <div class="stepper">
        <button onClick={() => go(at - 1)} disabled={at === 0} aria-label="One line back" title="←">
          ←
        </button>
        <span class="count">
          {at + 1} <i>of {steps.length}</i>
        </span>
        <button onClick={() => go(at + 1)} disabled={at === steps.length - 1} aria-label="One line on" title="→">
          →
        </button>
      </div>
      <ol ref={strip}>
        {steps.map((step, i) => {
          const mark = markOf(step);
          return (
            <li key={i}>
              <button
                class={`chip mark-${mark}`}
                aria-current={i === at ? "step" : undefined}
                onClick={() => go(i)}
                title={`${step.gradient}: ${WORDS[mark]}`}
              >
                <i class="glyph">{GLYPHS[mark]}</i>
                {step.gradient}
              </button>
            </li>
          );
        })}
      </ol>
      <span class="keys" aria-hidden="true">
        <kbd>←</kbd> <kbd>→</kbd> step <kbd>w</kbd> wrong line
      </span>
    </nav>
  );
}
