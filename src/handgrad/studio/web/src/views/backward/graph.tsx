// The forward pass as a graph, and its mirror image, through which the gradients flow back.
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Heat } from "../../parts/heat";
import { number, px, shape } from "../../parts/numbers";
import { GLYPHS, markOf, type Judged, type Mark, type Node, type Step } from "./data";
import { CARD, curve, layout } from "./layout";

interface Props {
  judged: Judged;
  step: Step | undefined;
  /** For each value that the gradient comes back through, the product that is sent; none where that would tell. */
  products: globalThis.Map<string, string>;
  go: (node: string) => void;
}

export function Graph({ judged, step, products, go }: Props) {
  const { nodes, edges, steps } = judged;
  const form = nodes.map((node) => node.id).join() + edges.map((edge) => `${edge.from}>${edge.to}`).join();
  const placed = useMemo(() => layout(nodes, edges), [form]);
  const marks = useMemo(() => marksOf(steps), [steps]);
  const [zoom, setZoom] = useState(() => Math.min(Math.max((0.38 * innerHeight) / placed.height, 0.75), 1));
  const pane = useRef<HTMLDivElement>(null);
  const current = step?.node;
  const undone = new Set(step?.undoes);

  useLayoutEffect(() => {
    const place = current && placed.places.get(current);
    if (!place || !pane.current) return;
    const { clientWidth, clientHeight } = pane.current;
    pane.current.scrollTo({
      left: place.x * zoom - clientWidth / 2,
      top: placed.height * zoom < clientHeight ? 0 : (placed.height / 2) * zoom - clientHeight / 2,
    });
  }, [current, placed, zoom]);

  return (
    <section class="graph panel" aria-label="The forward pass, and the gradients that flow back through it">
      <div class="graph-pane" ref={pane} tabIndex={0}>
        <div class="graph-sheet" style={{ width: px(placed.width * zoom), height: px(placed.height * zoom) }}>
          <div class="graph-scaled" style={{ transform: `scale(${zoom})` }}>
            <svg width={placed.width} height={placed.height} aria-hidden="true">
              <defs>
                <marker id="tip" viewBox="0 0 8 8" refX="6.5" refY="4" markerWidth="6" markerHeight="6" orient="auto">
                  <path d="M0.5 0.5 7 4 0.5 7.5z" />
                </marker>
              </defs>
              {placed.lines.map(({ from, to, points }) => {
                const on = from === current && undone.has(to);
                const back = points.map(({ x, y }) => ({ x, y: placed.mirror(y) })).reverse();
                return (
                  <g key={`${from}>${to}`} class={on ? "edge edge-on" : "edge"}>
                    <path d={curve(points)} />
                    <path d={curve(back)} class="edge-back" marker-end="url(#tip)" />
                  </g>
                );
              })}
            </svg>
            {placed.lines.map(({ from, to, points }) => {
              const product = from === current && products.get(to);
              if (!product) return null;
              const { x, y } = points[Math.floor(points.length / 2)]!;
              const near = placed.places.get(to)!.x - placed.places.get(from)!.x < 2 * CARD.width;
              const below = near ? CARD.height / 2 + 12 : 0; // where there is room
              return (
                <span class="product" key={to} style={{ left: px(x), top: px(placed.mirror(y) + below) }}>
                  {product}
                </span>
              );
            })}
            {nodes.map((node) => {
              const { x, y } = placed.places.get(node.id)!;
              const shared = { node, on: node.id === current, near: undone.has(node.id), go };
              return (
                <>
                  <Card key={node.id} {...shared} x={x} y={y} />
                  {node.gradient && node.kind !== "loss" && (
                    <Card key={`d${node.id}`} {...shared} x={x} y={placed.mirror(y)} mark={marks.get(node.id) ?? "missing"} />
                  )}
                </>
              );
            })}
          </div>
        </div>
      </div>
      <div class="graph-ways" aria-hidden="true">
        <span>values →</span>
        <span>← gradients</span>
      </div>
      <div class="zoom">
        <button class="quiet" aria-label="Smaller" onClick={() => setZoom((z) => Math.max(z / 1.2, 0.3))}>
          −
        </button>
        <button class="quiet" aria-label="Larger" onClick={() => setZoom((z) => Math.min(z * 1.2, 2))}>
          +
        </button>
      </div>
    </section>
  );
}

interface CardProps {
  node: Node;
  x: number;
  y: number;
  on: boolean;
  near: boolean;
  mark?: Mark;
  go: (node: string) => void;
}

/** A value, or with a mark its gradient. */
function Card({ node, x, y, on, near, mark, go }: CardProps) {
  const map = mark ? node.gradient! : node.value;
  const name = mark ? `d${node.name}` : node.name;
  const style = { left: px(x - CARD.width / 2), top: px(y - CARD.height / 2), width: px(CARD.width), height: px(CARD.height) };
  return (
    <button
      class={`card card-${node.kind} ${mark ? `mark-${mark}` : ""} ${on ? "card-on" : ""} ${near ? "card-near" : ""}`}
      style={style}
      title={node.text}
      tabIndex={-1}
      onClick={() => go(node.id)}
    >
      <span class="card-name">
        {mark && <i class="glyph">{GLYPHS[mark]}</i>}
        {name}
      </span>
      <span class="card-more">
        {node.scalar !== null && !mark ? (
          <span class="card-number">{number(node.scalar)}</span>
        ) : (
          <Heat map={map} label={name} width={48} height={20} />
        )}
        <span class="card-shape">{shape(node.shape)}</span>
      </span>
    </button>
  );
}

/** The mark of each value's gradient: the worst, where there are several. */
function marksOf(steps: Step[]): globalThis.Map<string, Mark> {
  const order: Mark[] = ["wrong", "warning", "missing", "inherited", "right"];
  const found = new globalThis.Map<string, Mark>();
  for (const step of steps) {
    const [mark, known] = [markOf(step), found.get(step.node)];
    if (!known || order.indexOf(mark) < order.indexOf(known)) found.set(step.node, mark);
  }
  return found;
}
