// What is wrong beside the lines of gradients: statements that change what others rely on, lines that cannot be run, notes.
import { useState } from "preact/hooks";
import { Said } from "../../parts/said";
import type { Hazard, Judged, Repair } from "./data";

interface Props {
  judged: Judged;
  mend: ((repair: Repair) => void) | null;
}

export function Notices({ judged: { hazards, faults }, mend }: Props) {
  if (!hazards.length && !faults.length) return null;
  return (
    <div class="notices" role="note">
      {hazards.map((hazard, i) => (
        <One key={i} hazard={hazard} mend={mend} />
      ))}
      {faults.map((fault, i) => (
        <p key={i}>
          <i class="glyph">✕</i> <Said text={fault} />
        </p>
      ))}
    </div>
  );
}

function One({ hazard, mend }: { hazard: Hazard; mend: Props["mend"] }) {
  const [shown, setShown] = useState(false);
  const { repair } = hazard;
  return (
    <p>
      <i class="glyph">✕</i> {hazard.cell ? `cell ${hazard.cell}, ` : ""}line {hazard.line}: <code>{hazard.text}</code>{" "}
      <Said text={hazard.message} />{" "}
      {repair && !shown && (
        <button class="link" onClick={() => setShown(true)}>
          Show the right line
        </button>
      )}
      {repair && shown && (
        <>
          <code>{repair.text}</code>{" "}
          {mend && (
            <button class="link" onClick={() => mend(repair)}>
              Put it into the program
            </button>
          )}
        </>
      )}
    </p>
  );
}

export function Notes({ notes }: { notes: string[] }) {
  if (!notes.length) return null;
  return (
    <details class="notes">
      <summary>{notes.length === 1 ? "A note" : `${notes.length} notes`}</summary>
      {notes.map((note, i) => (
        <p key={i}>
          <Said text={note} />
        </p>
      ))}
    </details>
  );
}
