// The embedding of the letters: each letter where its two principal components lie.
import { useEffect, useRef, useState } from "preact/hooks";
import { useAnswer } from "../../hooks";
import { about, percent, type Letters as Places, type Shown } from "./data";

const SIZE = 420;
const EDGE = 26;

export function Letters(shown: Shown) {
  const { value, error } = useAnswer<Places>("training", { what: "letters", ...about(shown) }, null);
  return (
    <section class="panel letters">
      <h2>
        Letters {value && !value.without && <small>the rows of {value.name}, {value.features} features, seen in two dimensions</small>}
      </h2>
      {(error ?? value?.without) && <p class="note">{error ?? value?.without}</p>}
      {value && !value.without && <Map places={value} />}
    </section>
  );
}

function Map({ places }: { places: Places }) {
  const [over, setOver] = useState<number | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const [wide, setWide] = useState(SIZE * 1.5);
  useEffect(() => {
    const sizes = new ResizeObserver(() => box.current && setWide(Math.max(box.current.clientWidth, 200)));
    sizes.observe(box.current!);
    return () => sizes.disconnect();
  }, []);
  const { x, y, letters, share } = places;
  const reach = Math.max(spread(x) / (wide - 2 * EDGE), spread(y) / (SIZE - 2 * EDGE), 1e-9);
  const across = (i: number) => wide / 2 + (x[i]! - middle(x)) / reach;
  const down = (i: number) => SIZE / 2 - (y[i]! - middle(y)) / reach;
  const near = over === null ? [] : neighbours(places, over);
  return (
    <div ref={box} class="letters-box">
      <svg viewBox={`0 0 ${wide} ${SIZE}`} height={SIZE} role="img" aria-label={`${letters.length} letters by their two principal components`}>
        <line class="zero" x1={across0()} x2={across0()} y1={0} y2={SIZE} />
        <line class="zero" x1={0} x2={wide} y1={down0()} y2={down0()} />
        {near.map((i) => (
          <line key={i} class="near" x1={across(over!)} y1={down(over!)} x2={across(i)} y2={down(i)} />
        ))}
        {letters.map((letter, i) => (
          <text
            key={i}
            class={`letter ${kind(letter)} ${near.includes(i) || over === i ? "near" : ""}`}
            x={0}
            y={0}
            style={{ transform: `translate(${across(i)}px, ${down(i)}px)` }}
            onPointerEnter={() => setOver(i)}
            onPointerLeave={() => setOver(null)}
          >
            {letter === null ? "●" : letter === " " ? "␣" : letter}
          </text>
        ))}
      </svg>
      <p class="aside">
        {over !== null
          ? `${named(letters[over]!)} lies closest to ${near.map((i) => named(letters[i]!)).join(", ")}.`
          : `The two principal components have ${percent(share)} of the variance. Vowels are coloured; ● is the boundary of a line.`}
      </p>
    </div>
  );

  function across0() {
    return wide / 2 - middle(x) / reach;
  }
  function down0() {
    return SIZE / 2 + middle(y) / reach;
  }
}

const spread = (all: number[]) => Math.max(...all) - Math.min(...all);
const middle = (all: number[]) => (Math.max(...all) + Math.min(...all)) / 2;
const named = (letter: string | null) => (letter === null ? "the boundary" : letter === " " ? "the space" : letter);

function kind(letter: string | null): string {
  if (letter === null) return "boundary";
  const plain = letter.normalize("NFD")[0]!.toLowerCase();
  return "aeiouyаеёиоуыэюяαεηιουω".includes(plain) ? "vowel" : "";
}

function neighbours({ x, y }: Places, of: number): number[] {
  const far = (i: number) => Math.hypot(x[i]! - x[of]!, y[i]! - y[of]!);
  return x
    .map((_, i) => i)
    .filter((i) => i !== of)
    .sort((a, b) => far(a) - far(b))
    .slice(0, 3);
}
