// Where the values stand: from left to right in the forward pass, their gradients mirrored below.
import dagre from "@dagrejs/dagre";
import type { Edge, Node } from "./data";

interface Point {
  x: number;
  y: number;
}

export interface Layout {
  width: number;
  height: number;
  /** The centre of each value; its gradient stands at `mirror(y)`. */
  places: globalThis.Map<string, Point>;
  lines: { from: string; to: string; points: Point[] }[];
  mirror: (y: number) => number;
}

export const CARD = { width: 120, height: 46 };
const GAP = 30;
const SPACE = 10;
const BETWEEN = 34;
/** Room at the left, where it is said which way things flow. */
const WAYS = 92;

export function layout(nodes: Node[], edges: Edge[]): Layout {
  const beside = stacked(nodes, edges);
  const graph = new dagre.graphlib.Graph<any>();
  graph.setGraph({ rankdir: "LR", nodesep: SPACE, ranksep: BETWEEN });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id } of nodes) if (!beside.has(id)) graph.setNode(id, { ...CARD });
  for (const { from, to } of edges) if (!beside.has(from)) graph.setEdge(from, to, { weight: 1 });
  dagre.layout(graph);

  const places = new globalThis.Map<string, Point>();
  const tops = new globalThis.Map<number, number>(); // of each column
  for (const { id } of nodes) {
    if (beside.has(id)) continue;
    const { x, y } = graph.node(id);
    places.set(id, { x, y });
    tops.set(x, Math.min(tops.get(x) ?? Infinity, y));
  }
  for (const { from, to } of edges) {
    if (beside.has(from)) continue;
    for (const { x, y } of graph.edge(from, to).points as Point[]) {
      if (tops.has(x)) tops.set(x, Math.min(tops.get(x)!, y + CARD.height / 2));
    }
  }
  for (const [id, consumer] of beside) {
    const x = places.get(consumer)!.x - CARD.width - BETWEEN;
    const y = (tops.get(x) ?? places.get(consumer)!.y + CARD.height + SPACE) - CARD.height - SPACE;
    places.set(id, { x, y });
    tops.set(x, y);
  }

  const all = [...places.values()];
  const left = Math.min(...all.map(({ x }) => x)) - CARD.width / 2 - WAYS;
  const top = Math.min(...all.map(({ y }) => y)) - CARD.height / 2 - SPACE;
  const moved = ({ x, y }: Point) => ({ x: x - left, y: y - top });
  for (const [id, place] of places) places.set(id, moved(place));
  const lines = edges.map(({ from, to }) => ({
    from,
    to,
    points: beside.has(from) ? straight(places.get(from)!, places.get(to)!) : graph.edge(from, to).points.map(moved),
  }));
  const width = Math.max(...all.map(({ x }) => x)) - left + CARD.width / 2 + SPACE;
  const height = Math.max(...lines.flatMap(({ points }) => (points as Point[]).map(({ y }) => y)), ...[...places.values()].map(({ y }) => y + CARD.height / 2));
  const whole = 2 * height + GAP;
  return { width, height: whole, places, lines, mirror: (y) => whole - y };
}

/** The inputs that one line alone uses, beside another value: such as weights. They are stacked before that line. */
function stacked(nodes: Node[], edges: Edge[]): globalThis.Map<string, string> {
  const found = new globalThis.Map<string, string>();
  for (const node of nodes) {
    const [use, ...more] = edges.filter(({ from }) => from === node.id);
    if (node.kind !== "input" || !use || more.length) continue;
    const others = edges.filter(({ to, from }) => to === use.to && from !== node.id && !found.has(from));
    if (others.length) found.set(node.id, use.to);
  }
  return found;
}

function straight(from: Point, to: Point) {
  const [start, end] = [from.x + CARD.width / 2, to.x - CARD.width / 2];
  return [
    { x: start, y: from.y },
    { x: start + BETWEEN / 2, y: from.y },
    { x: end - BETWEEN / 4, y: to.y },
    { x: end, y: to.y },
  ];
}

/** A smooth path through points. */
export function curve(points: Point[]): string {
  const [first, ...rest] = points;
  if (!first || !rest.length) return "";
  let path = `M${first.x},${first.y}`;
  for (let i = 0; i < rest.length - 1; i++) {
    const [a, b] = [rest[i]!, rest[i + 1]!];
    path += `Q${a.x},${a.y} ${(a.x + b.x) / 2},${(a.y + b.y) / 2}`;
  }
  const last = rest[rest.length - 1]!;
  return `${path}L${last.x},${last.y}`;
}
