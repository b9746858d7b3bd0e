// Numbers and shapes as they are written on the page.

export function number(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return "not finite";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e-3 && size < 1e5 ? String(Number(value.toPrecision(digits))) : value.toExponential(digits - 1);
  return text.replace("-", "−").replace("e−", "e−").replace("e-", "e−").replace("e+", "e");
}

export const shape = (sizes: number[]) => sizes.join(" × ") || "a number";

export const at = (name: string, index: number[]) => (index.length ? `${name}[${index.join(", ")}]` : name);

export const px = (length: number) => `${length}px`;
