// A tensor as a heat map: blue below zero, orange above, more colour for more.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useTheme, type Theme } from "../hooks";
import { number, px, shape as shown } from "./numbers";

export interface Map {
  rows: number;
  columns: number;
  shape: number[];
  top: number;
  data: string;
}

type Colour = [number, number, number];
const COLOURS: Record<Theme, { zero: Colour; below: Colour[]; above: Colour[]; none: Colour }> = {
  light: {
    zero: [247, 246, 243],
    below: [[166, 200, 228], [56, 118, 180], [10, 48, 104]],
    above: [[248, 200, 142], [217, 113, 32], [122, 48, 4]],
    none: [204, 61, 141],
  },
  dark: {
    zero: [38, 42, 50],
    below: [[43, 84, 130], [86, 155, 222], [196, 226, 255]],
    above: [[128, 72, 22], [235, 146, 62], [255, 226, 184]],
    none: [224, 92, 166],
  },
};
const PALETTES = new globalThis.Map<Theme, Uint8ClampedArray>();

/** Four bytes for each signed byte, from -128 on. */
function palette(theme: Theme): Uint8ClampedArray {
  let found = PALETTES.get(theme);
  if (!found) {
    found = new Uint8ClampedArray(256 * 4);
    const { zero, below, above, none } = COLOURS[theme];
    for (let value = -128; value < 128; value++) {
      const stops = [zero, ...(value < 0 ? below : above)];
      const at = Math.sqrt(Math.abs(value) / 127) * 3; // small numbers are to be seen too
      const low = Math.min(Math.floor(at), 2);
      const mixed = zero.map((_, i) => stops[low]![i]! + (stops[low + 1]![i]! - stops[low]![i]!) * (at - low));
      found.set([...(value === -128 ? none : mixed), 255], (value + 128) * 4);
    }
    PALETTES.set(theme, found);
  }
  return found;
}

export const cells = (map: Map) => Int8Array.from(atob(map.data), (letter) => letter.charCodeAt(0));

interface Props {
  map: Map;
  label: string;
  /** The box that it fits into, in pixels. */
  width: number;
  height: number;
  picked?: [number, number] | null;
  pick?: (cell: [number, number]) => void;
}

export function Heat({ map, label, width, height, picked, pick }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useTheme();
  const data = useMemo(() => cells(map), [map]);
  const [over, setOver] = useState<[number, number] | null>(null);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !map.rows || !map.columns) return;
    const image = context.createImageData(map.columns, map.rows);
    const colours = palette(theme);
    data.forEach((value, i) => image.data.set(colours.subarray((value + 128) * 4, (value + 129) * 4), i * 4));
    context.putImageData(image, 0, 0);
  }, [data, theme]);

  const [wide, high] = fitted(map, width, height);
  const at = (event: PointerEvent | MouseEvent): [number, number] => {
    const box = canvas.current!.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * map.rows);
    const column = Math.floor(((event.clientX - box.left) / box.width) * map.columns);
    return [Math.min(Math.max(row, 0), map.rows - 1), Math.min(Math.max(column, 0), map.columns - 1)];
  };
  const value = (cell: [number, number]) => (data[cell[0] * map.columns + cell[1]]! / 127) * map.top;
  return (
    <div class={`heat ${pick ? "heat-pick" : ""}`} style={{ width: px(wide), height: px(high) }}>
      <canvas
        ref={canvas}
        width={map.columns || 1}
        height={map.rows || 1}
        role="img"
        aria-label={`${label}, ${shown(map.shape)}, up to ${number(map.top)}`}
        onPointerMove={pick && ((event) => setOver(at(event)))}
        onPointerLeave={pick && (() => setOver(null))}
        onClick={pick && ((event) => pick(at(event)))}
      />
      {picked && <Mark cell={picked} map={map} kind="picked" />}
      {over && (
        <>
          <Mark cell={over} map={map} kind="over" />
          <span class="heat-said">
            row {over[0]}, column {over[1]}: ≈ {number(value(over))}
          </span>
        </>
      )}
    </div>
  );
}

function Mark({ cell, map, kind }: { cell: [number, number]; map: Map; kind: string }) {
  const percent = (part: number, whole: number) => `${(100 * part) / whole}%`;
  const place = {
    left: percent(cell[1], map.columns),
    top: percent(cell[0], map.rows),
    width: percent(1, map.columns),
    height: percent(1, map.rows),
  };
  return <i class={`heat-mark heat-${kind}`} style={place} />;
}

/** Square cells where there is room; no side is so thin that it is not seen. */
function fitted(map: Map, width: number, height: number): [number, number] {
  const cell = Math.min(width / (map.columns || 1), height / (map.rows || 1), 22);
  return [Math.max(cell * map.columns, Math.min(18, width)), Math.max(cell * map.rows, Math.min(18, height))];
}
