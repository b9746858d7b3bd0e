// What the server says of a derivation.

export type Prose = ["text" | "code" | "latex", string][];

export interface Line {
  gradient: string;
  source: string;
  undoes: { line: number; cell: number | null; text: string } | null;
}

export interface Step {
  gradient: string;
  variable: string;
  uses: { line: number; cell: number | null; text: string }[];
  /** The chain rule alone, as one equation. */
  first: string | null;
  latex: string;
  reasons: Prose[][];
  matrix: string | null;
  notes: Prose[];
  check: string;
}

export interface Derivation {
  error?: string;
  lines?: Line[];
  steps?: Step[] | null;
  opening?: Prose[];
  notes?: string[];
  summary?: string;
  without?: string | null;
}
