// Where the values stand: from left to right in the forward pass, their gradients mirrored below.
import dagre from "@dagrejs/dagre";
import type { Edge, Node } from "./data";

export interface Layout {
  width: number;
  height: number;
  /** The centre of each value; its gradient stands at `mirror(y)`. */
  places: globalThis.Map<string, { x: number; y: number }>;
  lines: { from: string; to: string; points: { x: number; y: number }[] }[];
  mirror: (y: number) => number;
}

export const CARD = { width: 112, height: 46 };
const GAP = 26;

export function layout(nodes: Node[], edges: Edge[]): Layout {
  const graph = new dagre.graphlib.Graph<any>();
  graph.setGraph({ rankdir: "LR", nodesep: 10, ranksep: 34, marginx: 8, marginy: 8, ranker: "network-simplex" });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) graph.setNode(node.id, { ...CARD });
  for (const { from, to } of edges) graph.setEdge(from, to);
  dagre.layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  const places = new globalThis.Map(
    nodes.map(({ id }) => {
      const { x, y } = graph.node(id);
      return [id, { x, y }];
    }),
  );
  const lines = edges.map(({ from, to }) => ({ from, to, points: graph.edge(from, to).points }));
  const whole = 2 * height + GAP;
  return { width, height: whole, places, lines, mirror: (y) => whole - y };
}

/** A smooth path through points. */
export function curve(points: { x: number; y: number }[]): string {
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
