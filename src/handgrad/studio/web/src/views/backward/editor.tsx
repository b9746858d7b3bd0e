// The source with its verdicts, to be read and edited.
import { useEffect, useRef, useState } from "preact/hooks";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { EditorState, RangeSetBuilder, StateEffect, StateField, type Extension, type TransactionSpec } from "@codemirror/state";
import { Decoration, drawSelection, EditorView, gutter, GutterMarker, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useSource } from "../../hooks";
import { GLYPHS, markOf, WORDS, type Document, type Hazard, type Mark, type Repair, type Step } from "./data";

interface Props {
  document: Document;
  steps: Step[];
  hazards: Hazard[];
  step: Step | undefined;
  go: (step: number) => void;
  /** A right line to be put in the place of a wrong one; a new object each time. */
  repair: Repair | null;
  editable: boolean;
}

export function Editor({ document, steps, hazards, step, go, repair, editable }: Props) {
  const source = useSource();
  const views = useRef(new globalThis.Map<number | null, EditorView>());
  const saved = useRef(document);
  const [dirty, setDirty] = useState(false);
  const [said, setSaid] = useState<string | null>(null);
  const scroller = useRef<HTMLDivElement>(null);

  const texts = () => saved.current.parts.map(({ cell }) => ({ cell, text: views.current.get(cell)!.state.doc.toString() }));
  const edited = () => setDirty(texts().some(({ text }, i) => text !== saved.current.parts[i]!.text));
  const save = async () => {
    try {
      const { backup } = await source.ask<{ backup: string }>("backward", { what: "save", version: saved.current.version, parts: texts() });
      setSaid(`Saved; the old file is ${backup}.`);
    } catch (error) {
      setSaid((error as Error).message);
    }
  };
  const actions = useRef({ edited, save });
  actions.current = { edited, save };

  // What was written elsewhere comes in, unless something here is not saved.
  useEffect(() => {
    const same = document.parts.length === saved.current.parts.length;
    if (document.version === saved.current.version && same) return;
    const mine = dirty ? new globalThis.Map(texts().map(({ cell, text }) => [cell, text])) : null;
    const kept = mine && document.parts.every(({ cell, text }) => mine.get(cell) === text);
    if (mine && !kept) setSaid("The file was changed elsewhere; what you see here is yours, and not saved.");
    saved.current = document;
    if (!mine || kept) {
      for (const { cell, text } of document.parts) {
        const view = views.current.get(cell);
        if (view && view.state.doc.toString() !== text) {
          view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
        }
      }
      setDirty(false);
    }
  }, [document]);

  useEffect(() => {
    for (const [cell, view] of views.current) {
      view.dispatch({ effects: marking.of({ marks: lineMarks(steps, hazards, cell), current: currentLines(step, cell) }) });
    }
    const line = step?.line ?? null;
    const view = step && views.current.get(step.cell);
    if (view && line && line <= view.state.doc.lines) {
      centre(scroller.current!, view, line);
      const again = setTimeout(() => scroller.current && centre(scroller.current, view, line), 120); // heights are known
      return () => clearTimeout(again);
    }
    return undefined;
  }, [steps, hazards, step, document]);

  useEffect(() => {
    const view = repair && views.current.get(repair.cell);
    if (view) view.dispatch(mended(view.state, repair));
  }, [repair]);

  return (
    <section class="editor panel" aria-label="The program">
      <div class="editor-bar">
        <b>{document.file}</b>
        <span class="said">{said}</span>
        {editable && (
          <button class="primary" disabled={!dirty} onClick={save} title="Ctrl+S">
            Save
          </button>
        )}
      </div>
      <div class="editor-parts" ref={scroller}>
        {document.parts.map(({ cell, text }) => (
          <Part key={cell} cell={cell} text={text} editable={editable} views={views.current} actions={actions} clicked={(line) => {
            const found = steps.findIndex((s) => s.lines.some((l) => l.line === line && l.cell === cell));
            if (found >= 0) go(found);
          }} />
        ))}
      </div>
    </section>
  );
}

/** Scroll to a line, and nothing but the editor. */
function centre(scroller: HTMLElement, view: EditorView, line: number) {
  const block = view.lineBlockAt(view.state.doc.line(line).from);
  const top = view.dom.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop;
  scroller.scrollTo({ top: top + block.top - scroller.clientHeight / 2 });
}

/** The lines of a repair in the place of those that it replaces, or above the line where it is inserted. */
function mended({ doc }: EditorState, { text, start, end, around, line }: Repair): TransactionSpec {
  const replaces = end >= start;
  const model = doc.line(Math.min(replaces ? start : (line ?? start), doc.lines)).text;
  const indent = model.slice(0, model.length - model.trimStart().length);
  const lines = (around[0] + text + around[1]).split("\n").map((one) => indent + one);
  if (replaces) {
    return { changes: { from: doc.line(start).from, to: doc.line(Math.min(end, doc.lines)).to, insert: lines.join("\n") } };
  }
  if (start > doc.lines) return { changes: { from: doc.length, insert: `\n${lines.join("\n")}` } };
  return { changes: { from: doc.line(start).from, insert: `${lines.join("\n")}\n` } };
}

interface PartProps {
  cell: number | null;
  text: string;
  editable: boolean;
  views: globalThis.Map<number | null, EditorView>;
  actions: { current: { edited: () => void; save: () => void } };
  clicked: (line: number) => void;
}

function Part({ cell, text, editable, views, actions, clicked }: PartProps) {
  const place = useRef<HTMLDivElement>(null);
  const click = useRef(clicked);
  click.current = clicked;
  useEffect(() => {
    const view = new EditorView({
      parent: place.current!,
      state: EditorState.create({
        doc: text,
        extensions: [
          marked,
          lineNumbers(),
          markGutter((line) => click.current(line)),
          history(),
          drawSelection(),
          highlightSpecialChars(),
          indentUnit.of("    "),
          indentOnInput(),
          bracketMatching(),
          python(),
          EditorState.readOnly.of(!editable),
          syntaxHighlighting(colours),
          EditorView.contentAttributes.of({ "aria-label": cell === null ? "Program" : `Cell ${cell}` }),
          EditorView.updateListener.of((update) => update.docChanged && actions.current.edited()),
          keymap.of([
            { key: "Mod-s", preventDefault: true, run: () => (actions.current.save(), true) },
            { key: "Escape", run: (view) => (view.contentDOM.blur(), true) },
            ...defaultKeymap,
            ...historyKeymap,
            indentWithTab,
          ]),
        ],
      }),
    });
    views.set(cell, view);
    return () => {
      views.delete(cell);
      view.destroy();
    };
  }, []);
  return (
    <div class="editor-part">
      {cell !== null && <span class="cell">cell {cell}</span>}
      <div ref={place} />
    </div>
  );
}

interface Marking {
  marks: globalThis.Map<number, Mark>;
  current: Set<number>;
}

const marking = StateEffect.define<Marking>();

/** The marks of lines; they move with what is typed. */
const marked = StateField.define<{ gutter: any; lines: any }>({
  create: () => ({ gutter: new RangeSetBuilder<GutterMarker>().finish(), lines: Decoration.none }),
  update(value, transaction) {
    let { gutter, lines } = value;
    if (transaction.docChanged) {
      gutter = gutter.map(transaction.changes);
      lines = lines.map(transaction.changes);
    }
    for (const effect of transaction.effects) {
      if (!effect.is(marking)) continue;
      const { marks, current } = effect.value;
      const [signs, shades] = [new RangeSetBuilder<GutterMarker>(), new RangeSetBuilder<Decoration>()];
      const { doc } = transaction.state;
      for (let number = 1; number <= doc.lines; number++) {
        const { from } = doc.line(number);
        const mark = marks.get(number);
        if (mark) signs.add(from, from, new Sign(mark));
        const classes = [mark === "wrong" && "cm-wrong", current.has(number) && "cm-current"].filter(Boolean).join(" ");
        if (classes) shades.add(from, from, Decoration.line({ class: classes }));
      }
      gutter = signs.finish();
      lines = shades.finish();
    }
    return { gutter, lines };
  },
  provide: (field) => EditorView.decorations.from(field, (value) => value.lines),
});

class Sign extends GutterMarker {
  constructor(readonly mark: Mark) {
    super();
  }
  override eq(other: Sign) {
    return other.mark === this.mark;
  }
  override toDOM() {
    const sign = document.createElement("span");
    sign.className = `glyph mark-${this.mark}`;
    sign.textContent = GLYPHS[this.mark];
    sign.title = WORDS[this.mark];
    return sign;
  }
}

function markGutter(clicked: (line: number) => void): Extension {
  return gutter({
    class: "cm-marks",
    markers: (view) => view.state.field(marked).gutter,
    initialSpacer: () => new Sign("right"),
    domEventHandlers: {
      click: (view, block) => (clicked(view.state.doc.lineAt(block.from).number), true),
    },
  });
}

/** A gradient made in several lines is marked on the one at fault; the others are right where nothing else is known. */
function lineMarks(steps: Step[], hazards: Hazard[], cell: number | null): globalThis.Map<number, Mark> {
  const marks = new globalThis.Map<number, Mark>();
  for (const step of steps) {
    const mark = markOf(step);
    for (const line of step.lines) {
      if (line.cell !== cell || line.line === null) continue;
      const blamed = mark !== "wrong" && mark !== "warning" ? mark : line.line === step.line ? mark : null;
      if (blamed && marks.get(line.line) !== "wrong") marks.set(line.line, blamed);
    }
    if ((mark === "wrong" || mark === "warning") && step.cell === cell && step.line !== null) marks.set(step.line, mark);
  }
  for (const hazard of hazards) if (hazard.cell === cell && hazard.line !== null) marks.set(hazard.line, "wrong");
  return marks;
}

function currentLines(step: Step | undefined, cell: number | null): Set<number> {
  return new Set(step?.lines.flatMap((line) => (line.cell === cell && line.line !== null ? [line.line] : [])));
}

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.definitionKeyword], class: "tok-keyword" },
  { tag: [tags.number, tags.bool, tags.null], class: "tok-number" },
  { tag: [tags.string, tags.special(tags.string)], class: "tok-string" },
  { tag: [tags.comment], class: "tok-comment" },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName)], class: "tok-function" },
]);
