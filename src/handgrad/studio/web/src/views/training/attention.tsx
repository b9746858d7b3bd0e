// To which letters each place of a line attends.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useAnswer, useConnection, useTheme, type Theme } from "../../hooks";
import { about, percent, type Attention as Weights, type Shown } from "./data";

const INK: Record<Theme, [number[], number[]]> = {
  light: [[247, 246, 243], [4, 84, 100]],
  dark: [[36, 41, 50], [120, 220, 232]],
};

export function Attention({ run, checkpoint, prompt }: Shown & { prompt: string }) {
  const [typed, setTyped] = useState<string | null>(null);
  const asked = useConnection() !== "file";
  const line = typed ?? (prompt || run.example);
  const { value, error } = useAnswer<Weights>("training", { what: "attention", ...about({ run, checkpoint }), line }, null);
  const [layer, setLayer] = useState(0);
  const [over, setOver] = useState<{ head: number; row: number; column: number } | null>(null);
  const heads = value?.weights?.[Math.min(layer, value.weights.length - 1)];
  return (
    <section class="panel attention">
      <h2>Attention {heads && <small>each row is a place, and what it takes from those before it</small>}</h2>
      {(error ?? value?.without) && <p class="note">{error ?? value?.without}</p>}
      {heads && value && (
        <>
          <div class="prompt-row">
            <input
              class="prompt-text"
              value={line}
              aria-label="A line"
              readOnly={!asked}
              spellcheck={false}
              autocomplete="off"
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
            {value.weights.length > 1 && (
              <label>
                layer{" "}
                <select value={layer} onChange={(event) => setLayer(Number(event.currentTarget.value))}>
                  {value.weights.map((_, i) => (
                    <option key={i} value={i}>
                      {i + 1} of {value.weights.length}
                    </option>
                  ))}
                </select>
              </label>
            )}
          </div>
          <div class="heads">
            {heads.map((data, head) => (
              <Head key={head} letters={value.letters} data={data} name={`head ${head + 1}`} over={over?.head === head ? over : null}
                point={(at) => setOver(at && { head, ...at })} />
            ))}
          </div>
          <p class="aside">{over && told(value, heads[over.head]!, over) || "Point at a square to read it; · is the boundary before the line."}</p>
        </>
      )}
    </section>
  );
}

interface HeadProps {
  letters: (string | null)[];
  data: string;
  name: string;
  over: { row: number; column: number } | null;
  point: (at: { row: number; column: number } | null) => void;
}

function Head({ letters, data, name, over, point }: HeadProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useTheme();
  const size = letters.length;
  const weights = useMemo(() => bytes(data), [data]);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || weights.length !== size * size) return;
    const image = context.createImageData(size, size);
    const [none, all] = INK[theme];
    weights.forEach((weight, i) => {
      const future = i % size > Math.floor(i / size);
      const mix = Math.sqrt(weight / 255);
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = none[c]! + (all[c]! - none[c]!) * mix;
      image.data[4 * i + 3] = future ? 0 : 255;
    });
    context.putImageData(image, 0, 0);
  }, [weights, theme, size]);
  const at = (event: PointerEvent) => {
    const box = canvas.current!.getBoundingClientRect();
    const place = (offset: number, whole: number) => Math.min(Math.max(Math.floor((offset / whole) * size), 0), size - 1);
    return { row: place(event.clientY - box.top, box.height), column: place(event.clientX - box.left, box.width) };
  };
  const marks = size <= 40;
  return (
    <figure class="head">
      <figcaption>{name}</figcaption>
      <div class="head-grid">
        {marks && <Marks letters={letters} down chosen={over?.row} />}
        <canvas
          ref={canvas}
          width={size}
          height={size}
          role="img"
          aria-label={`${name}: weights of ${size} places`}
          onPointerMove={(event) => point(at(event))}
          onPointerLeave={() => point(null)}
        />
        {marks && <Marks letters={letters} down={false} chosen={over?.column} />}
      </div>
    </figure>
  );
}

function Marks({ letters, down, chosen }: { letters: (string | null)[]; down: boolean; chosen: number | undefined }) {
  return (
    <span class={down ? "marks-down" : "marks-across"} aria-hidden="true">
      {letters.map((letter, i) => (
        <i key={i} class={i === chosen ? "here" : ""}>
          {shown(letter)}
        </i>
      ))}
    </span>
  );
}

const shown = (letter: string | null) => (letter === null ? "·" : letter === " " ? "␣" : letter);
const bytes = (data: string) => Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));

function told({ letters }: Weights, data: string, { row, column }: { row: number; column: number }): string {
  if (column > row || row >= letters.length) return "";
  const weight = bytes(data)[row * letters.length + column]! / 255;
  const named = (place: number) => (letters[place] === null ? "the boundary" : `${shown(letters[place]!)} (place ${place})`);
  return `After ${named(row)}, ${percent(weight)} is taken from ${named(column)}.`;
}
