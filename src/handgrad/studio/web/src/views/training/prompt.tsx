// What comes next: the likelihood of each letter after a beginning, and a line drawn letter by letter.
import { useEffect, useRef, useState } from "preact/hooks";
import { useAnswer, useConnection, useSource } from "../../hooks";
import { about, glyph, percent, type Next, type Shown } from "./data";

const MOST = 14;
const PAUSE_MS = 160;
const LONGEST = 60;

interface Props extends Shown {
  prompt: string;
  setPrompt: (prompt: string) => void;
}

export function Prompt({ run, checkpoint, prompt, setPrompt }: Props) {
  const source = useSource();
  const asked = useConnection() !== "file";
  const [temperature, setTemperature] = useState(1);
  const [topK, setTopK] = useState(0);
  const [ended, setEnded] = useState(false);
  const [drawing, setDrawing] = useState(false);
  const going = useRef(0);
  const question = (prompt: string) => ({ what: "next", ...about({ run, checkpoint }), prompt, temperature, top_k: topK });
  const { value, error } = useAnswer<Next>("training", question(prompt), null);
  const stop = () => {
    going.current++;
    setDrawing(false);
  };
  useEffect(() => stop, [run.id, checkpoint.id]);

  /** Draw letters until the line ends, or one alone. */
  const draw = async (one: boolean) => {
    const mine = ++going.current;
    let line = ended ? "" : prompt;
    setEnded(false);
    setPrompt(line);
    setDrawing(!one);
    while (line.length < LONGEST) {
      let next: Next;
      try {
        next = await source.ask<Next>("training", question(line));
      } catch {
        break;
      }
      if (going.current !== mine) return;
      const letter = drawn(next);
      if (letter === null) {
        setEnded(true);
        break;
      }
      if (next.room !== null && next.room < 1) break;
      line += letter;
      setPrompt(line);
      if (one) break;
      if (!matchMedia("(prefers-reduced-motion: reduce)").matches) await new Promise((go) => setTimeout(go, PAUSE_MS));
      if (going.current !== mine) return;
    }
    setDrawing(false);
  };

  const full = value?.room === 0;
  const likely = value?.letters?.slice(0, MOST) ?? [];
  const most = Math.max(...likely.map((one) => Math.max(one.share, one.probability)), 1e-9);
  return (
    <section class="panel prompt">
      <h2>
        The next letter <small>{asked ? "type a beginning, or let it draw" : "at the beginning of a line"}</small>
      </h2>
      {asked && (
        <>
      <div class="prompt-row">
        <input
          class="prompt-text"
          value={prompt}
          placeholder="the beginning of a line"
          aria-label="Beginning of a line"
          spellcheck={false}
          autocomplete="off"
          maxLength={LONGEST}
          onInput={(event) => {
            stop();
            setEnded(false);
            setPrompt(event.currentTarget.value);
          }}
        />
        <button class="quiet" onClick={() => draw(true)} disabled={drawing}>
          Draw a letter
        </button>
        <button class="primary" onClick={() => (drawing ? stop() : draw(false))}>
          {drawing ? "Stop" : "Draw a line"}
        </button>
      </div>
      <div class="prompt-row prompt-settings">
        <label>
          temperature <output>{temperature.toFixed(1)}</output>
          <input type="range" min={0} max={2} step={0.1} value={temperature} onInput={(event) => setTemperature(Number(event.currentTarget.value))} />
        </label>
        <label>
          top-k
          <input
            type="number"
            min={1}
            placeholder="all"
            value={topK || ""}
            onInput={(event) => setTopK(Math.max(0, Math.floor(Number(event.currentTarget.value)) || 0))}
          />
        </label>
      </div>
        </>
      )}
      {(error ?? value?.without) && <p class="note">{error ?? value?.without}</p>}
      <p class="line" aria-live="polite">
        {value?.places?.map((one, i) => (
          <span key={i} title={`${percent(one.probability)}, number ${one.rank}`} style={{ "--surprise": surprise(one.probability) }}>
            {glyph(one.letter)}
          </span>
        ))}
        {ended && <span class="line-end">⏎</span>}
        {full && !ended && <i class="aside line-full">as long as this model reads</i>}
        {!value?.places?.length && !ended && <i class="aside">A line begins.</i>}
      </p>
      <ul class="chances">
        {likely.map((one) => (
          <li key={one.letter} class={one.share > 0 ? "" : "never"}>
            <button
              disabled={!asked || (full && one.letter !== null)}
              onClick={() => {
                stop();
                setEnded(one.letter === null);
                if (one.letter !== null) setPrompt((ended ? "" : prompt) + one.letter);
              }}
              aria-label={`${one.letter ?? "the end"}, ${percent(one.share)}`}
            >
              <b>{glyph(one.letter)}</b>
              <span class="chance-bar">
                <i style={{ width: `${(100 * one.share) / most}%` }} />
                <em style={{ left: `${(100 * one.probability) / most}%` }} />
              </span>
              <span class="chance-said">{percent(one.share)}</span>
            </button>
          </li>
        ))}
      </ul>
      <p class="aside">
        Bars are the chance to be drawn; the mark is the model's own probability, at temperature 1 and without top-k. ⏎ ends the line.
      </p>
    </section>
  );
}

function drawn({ letters }: Next): string | null {
  let left = Math.random() * letters.reduce((sum, one) => sum + one.share, 0);
  for (const one of letters) {
    left -= one.share;
    if (left < 0) return one.letter;
  }
  return letters[0]!.letter;
}

/** From 0, as good as certain, to 1, one in a thousand. */
const surprise = (probability: number) => Math.min(-Math.log10(Math.max(probability, 1e-6)) / 3, 1).toFixed(3);
