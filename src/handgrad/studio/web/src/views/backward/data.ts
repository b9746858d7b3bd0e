// What the server says of a backward pass.
import type { Map } from "../../parts/heat";

export interface Place {
  line: number | null;
  cell: number | null;
}

export interface Document {
  file: string;
  version: string;
  parts: { cell: number | null; text: string }[];
}

export interface Node extends Place {
  id: string;
  name: string;
  shape: number[];
  kind: "input" | "value" | "loss";
  text: string;
  value: Map;
  gradient: Map | null;
  scalar: number | null;
}

export interface Edge {
  from: string;
  to: string;
  largest: number | null;
}

/** The values that one loss is made of. */
export interface Graph {
  nodes: Node[];
  edges: Edge[];
}

export interface Repair extends Place {
  text: string;
  start: number;
  end: number;
  around: [string, string];
}

export interface Diagnosis extends Place {
  kind: string;
  hint: string;
  message: string;
  leftOver: string | null;
  repair: Repair | null;
}

export interface Step extends Place {
  /** The number of its graph. */
  pass: number;
  node: string;
  name: string;
  gradient: string;
  shape: number[];
  lines: (Place & { text: string })[];
  text: string;
  verdict: "exact" | "close" | "wrong" | "shape" | "missing" | "masked";
  cause: "own" | "inherited" | null;
  fault: boolean;
  maxdiff: number | null;
  undoes: string[];
  diagnosis: Diagnosis[];
}

export interface Hazard extends Place {
  kind: string;
  variable: string;
  message: string;
  text: string;
  repair: Repair | null;
}

export interface Judged {
  right: boolean;
  summary: string;
  loss: number | null;
  notes: string[];
  faults: string[];
  passes: Graph[];
  steps: Step[];
  hazards: Hazard[];
}

export interface State {
  status: "judging" | "judged" | "failed";
  document: Document | null;
  judged: Judged | null;
  error: string | null;
  hint: number;
}

export interface Detail {
  value: Map;
  right?: Map;
  yours?: Map;
  difference?: Map;
}

export interface Element {
  index: number[];
  right: number;
  yours: number | null;
  paths: {
    through: string;
    name: string;
    sum: number;
    terms: { index: number[]; upstream: number; factor: number }[] | null;
    count: number;
  }[];
}

/** How a step is marked, by form as well as by colour. */
export type Mark = "right" | "wrong" | "warning" | "inherited" | "missing";

export function markOf(step: Step): Mark {
  if (step.verdict === "exact" || step.verdict === "close") return "right";
  if (step.verdict === "missing") return "missing";
  return step.cause !== "own" ? "inherited" : step.fault ? "wrong" : "warning";
}

export const GLYPHS: Record<Mark, string> = { right: "✓", wrong: "✕", warning: "!", inherited: "↯", missing: "○" };

export const WORDS: Record<Mark, string> = {
  right: "right",
  wrong: "goes wrong here",
  warning: "a warning",
  inherited: "wrong because of an earlier line",
  missing: "not written yet",
};
