// The forward pass as a graph, and its mirror image, through which the gradients flow back.
import { Fragment, type VNode } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Heat } from "../../parts/heat";
import { number, px, shape } from "../../parts/numbers";
import { GLYPHS, markOf, type Edge as EdgeData, type Graph as Values, type Mark, type Node, type Step } from "./data";
import { CARD, curve, layout } from "./layout";

interface Props {
  graph: Values;
  steps: Step[];
  step: Step | undefined;
  /** For each value that the gradient comes back through, the product that is sent; none where that would tell. */
  products: globalThis.Map<string, string>;
  go: (node: string) => void;
}

export function Graph({ graph, steps, step, products, go }: Props) {
  const { nodes, edges } = graph;
  const form = nodes.map((node) => node.id).join() + edges.map((edge) => `${edge.from}>${edge.to}`).join();
  const placed = useMemo(() => layout(nodes, edges), [form]);
  const marks = useMemo(() => marksOf(steps), [steps]);
  /** The data: nobody asks for their gradients. */
  const unasked = new Set(nodes.flatMap(({ id, kind }) => (kind === "input" && !marks.has(id) ? [id] : [])));
  const widths = useMemo(() => widthsOf(edges), [edges]);
  const [zoom, setZoom] = useState(() => Math.min(Math.max(Math.min(0.38 * innerHeight, 300) / placed.height, 0.75), 1));
  const pane = useRef<HTMLDivElement>(null);
  const current = step?.node;
  const undone = new Set(step?.undoes);
  const going = useRef(go);
  going.current = go;

  // What stays as it was from one step to the next is not drawn again.
  const kept = useMemo(() => new globalThis.Map<string, VNode>(), [nodes, placed, marks]);
  const drawn = (key: string, draw: () => VNode) => {
    const found = kept.get(key) ?? draw();
    kept.set(key, found);
    return found;
  };

  useLayoutEffect(() => {
    const place = current && placed.places.get(current);
    if (!place || !pane.current) return;
    const { clientWidth, clientHeight } = pane.current;
    const middle = (placed.height / 2) * zoom;
    pane.current.scrollTo({
      left: place.x * zoom - clientWidth / 2,
      top: placed.mirror(place.y) - place.y < 0.7 * clientHeight ? middle - clientHeight / 2 : placed.mirror(place.y) * zoom - clientHeight / 2,
    });
  }, [current, placed, zoom]);

  return (
    <section class="graph panel" aria-label="The forward pass, and the gradients that flow back through it">
      <div class="graph-pane" ref={pane} tabIndex={0}>
        <div class="graph-sheet" style={{ width: px(placed.width * zoom), height: px(placed.height * zoom) }}>
          <div class="graph-scaled" style={{ transform: `scale(${zoom})` }}>
            <svg width={placed.width} height={placed.height} aria-hidden="true">
              <defs>
                <marker id="tip" viewBox="0 0 8 8" refX="6.5" refY="4" markerUnits="userSpaceOnUse" markerWidth="9" markerHeight="9" orient="auto">
                  <path d="M0.5 0.5 7 4 0.5 7.5z" />
                </marker>
              </defs>
              {placed.lines.map((line) => {
                const on = line.from === current && undone.has(line.to);
                const width = unasked.has(line.from) ? undefined : widths.get(`${line.from}>${line.to}`);
                return drawn(`${line.from}>${line.to} ${on}`, () => (
                  <Edge {...line} on={on} width={width} mirror={placed.mirror} />
                ));
              })}
            </svg>
            <span class="graph-way" style={{ top: px(placed.height / 2 - 48) }}>
              values →
            </span>
            <span class="graph-way" style={{ top: px(placed.height / 2 + 30) }}>
              ← gradients
            </span>
            {current && products.size > 0 && <Products at={placed.places.get(current)!} mirror={placed.mirror} products={products} nodes={nodes} />}
            {nodes.map((node) => {
              const [on, near] = [node.id === current, undone.has(node.id)];
              return drawn(`${node.id} ${on} ${near}`, () => {
                const { x, y } = placed.places.get(node.id)!;
                const shared = { node, on, near, go: (id: string) => going.current(id) };
                return (
                  <Fragment key={node.id}>
                    <Card {...shared} x={x} y={y} />
                    {node.gradient && !unasked.has(node.id) && (
                      <Card {...shared} x={x} y={placed.mirror(y)} mark={marks.get(node.id) ?? "none"} />
                    )}
                  </Fragment>
                );
              });
            })}
          </div>
        </div>
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

interface EdgeProps {
  from: string;
  to: string;
  points: { x: number; y: number }[];
  on: boolean;
  /** How much flows back, between 0 and 1. */
  width: number | undefined;
  mirror: (y: number) => number;
}

/** From a value to what is made of it, and the way of the gradient back. */
function Edge({ points, on, width, mirror }: EdgeProps) {
  const back = points.map(({ x, y }) => ({ x, y: mirror(y) })).reverse();
  return (
    <g class={on ? "edge edge-on" : "edge"}>
      <path d={curve(points)} />
      {width !== undefined && <path d={curve(back)} marker-end="url(#tip)" stroke-width={1 + 2.5 * width} />}
    </g>
  );
}

interface ProductsProps {
  at: { x: number; y: number };
  mirror: (y: number) => number;
  products: globalThis.Map<string, string>;
  nodes: Node[];
}

/** What each path sends to the current gradient, below it on the side that it comes from. */
function Products({ at, mirror, products, nodes }: ProductsProps) {
  const style = { left: px(at.x + CARD.width / 2 + 4), top: px(mirror(at.y) + CARD.height / 2 - 4) };
  return (
    <span class="products" style={style}>
      {[...products].map(([id, product]) => (
        <code key={id}>
          {products.size > 1 && <i>{nodes.find((node) => node.id === id)!.name}</i>}
          {product}
        </code>
      ))}
    </span>
  );
}

interface CardProps {
  node: Node;
  x: number;
  y: number;
  on: boolean;
  near: boolean;
  /** "none" for a gradient of which nothing is said. */
  mark?: Mark | "none";
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
        {mark && mark !== "none" && <i class="glyph">{GLYPHS[mark]}</i>}
        {name}
      </span>
      <span class="card-more">
        {node.scalar !== null && (!mark || node.kind === "loss") ? (
          <span class="card-number">{mark ? "1" : number(node.scalar)}</span>
        ) : (
          <Heat map={map} label={name} width={48} height={20} />
        )}
        <span class="card-shape">{shape(node.shape)}</span>
      </span>
    </button>
  );
}

/** How much of a gradient comes back through each edge: three orders of magnitude from nothing to 1. */
function widthsOf(edges: EdgeData[]): globalThis.Map<string, number> {
  const top = Math.max(...edges.map(({ largest }) => largest ?? 0));
  return new globalThis.Map(
    edges.flatMap(({ from, to, largest }) => {
      if (largest === null) return [];
      return [[`${from}>${to}`, largest && top ? Math.max(1 + Math.log10(largest / top) / 3, 0) : 0]];
    }),
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
