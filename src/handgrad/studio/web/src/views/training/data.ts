// What the server says of runs, and what it answers about their checkpoints.
import type { Map } from "../../parts/heat";

export interface Checkpoint {
  id: string;
  step: number;
}

export interface Run {
  id: string;
  name: string;
  folder: string;
  /** The run of which it is a part or a seed. */
  parent: string | null;
  version: number;
  status: "training" | "finished" | "unfinished" | "damaged" | "gone";
  said: string | null;
  text: string | null;
  model: string | null;
  parameters: number | null;
  steps: number | null;
  planned: number | null;
  seconds: number | null;
  loss: Partial<Record<"train" | "val" | "test", number>>;
  created: string | null;
  /** The last step of which there is a loss. */
  last: number;
  samples: string[];
  /** A line to begin with. */
  example: string;
  /** After which step the model of the run is. */
  best: number | null;
  checkpoints: Checkpoint[];
}

export interface State {
  runs: Run[];
}

export interface Curve {
  steps: number[];
  loss: number[];
  low: number[];
  high: number[];
  means: boolean;
  val_steps: number[];
  val_losses: number[];
  last: number;
}

/** What a model does not have is told in a sentence. */
export interface Without {
  without?: string;
}

export interface Samples extends Without {
  lines: string[];
}

export interface Chance {
  letter: string | null;
  probability: number;
  share: number;
}

export interface Next extends Without {
  /** For so many letters more; null where there is no end of it. */
  room: number | null;
  letters: Chance[];
  places: { letter: string; probability: number; rank: number }[];
}

export interface Letters extends Without {
  name: string;
  letters: (string | null)[];
  x: number[];
  y: number[];
  share: number;
  features: number;
}

export interface Histogram {
  reach: number;
  counts: number[];
  mean: number | null;
  deviation: number | null;
}

export interface Layer {
  title: string;
  operation: string;
  parameters: string[];
  units: number;
  activation: Histogram;
  gradient: Histogram | null;
  saturated: number | null;
  dead: number | null;
  map: Map;
}

export interface Parameter {
  name: string;
  shape: number[];
  value: number | null;
  gradient: number | null;
  ratio: number | null;
}

export interface Layers extends Without {
  loss: number;
  batch: number;
  of: "contexts" | "lines";
  layers: Layer[];
  parameters: Parameter[];
}

export interface Ratios extends Without {
  steps: number[];
  ratios: Record<string, (number | null)[]>;
}

export interface Attention extends Without {
  letters: (string | null)[];
  weights: string[][];
}

/** What a question is about: one checkpoint of one run. */
export interface Shown {
  run: Run;
  checkpoint: Checkpoint;
}

export const about = ({ run, checkpoint }: Shown) => ({ run: run.id, checkpoint: checkpoint.id });

/** A letter as it is written on the page. */
export const glyph = (letter: string | null) => (letter === null ? "⏎" : letter === " " ? "␣" : letter);

export const count = (number: number) => number.toLocaleString("en-US");

export const percent = (share: number) =>
  share >= 0.0995 ? `${Math.round(100 * share)} %` : share >= 0.001 ? `${(100 * share).toFixed(1)} %` : share > 0 ? "< 0.1 %" : "0 %";

/** A colour and a dash for each run, so that it is told apart without colours too. */
const COLOURS = {
  light: ["#0b6fa4", "#c8500a", "#0b8560", "#a3457f", "#7a6200", "#5b4bb0"],
  dark: ["#62b8ec", "#f39a55", "#46c69b", "#e29bc8", "#dfb94a", "#a99cf5"],
};
const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3]];

export function look(number: number, theme: "light" | "dark"): { colour: string; dash: number[] } {
  const colours = COLOURS[theme];
  return { colour: colours[number % colours.length]!, dash: DASHES[Math.floor(number / colours.length) % DASHES.length]! };
}
