/** Text in the dots of `workbench_kernels.pictures.font`, so that a label looks the same wherever it is drawn. */

/** By character, seven rows of five dots, each row a number whose highest bit is the left dot. */
export type Font = Record<string, number[]>;

export const COLUMNS = 5;
export const ROWS = 7;

/** Write `text` with its left end and vertical centre at (x, y), capitals `size` high, in pixels. */
export function write(
  context: CanvasRenderingContext2D, text: string, x: number, y: number, size: number, font: Font,
): void {
  const dot = size / ROWS;
  const edge = (offset: number): number => Math.round(offset * dot);
  const [left, top] = [Math.round(x), Math.round(y - size / 2)];
  [...text.toUpperCase()].forEach((character, place) => {
    (font[character] ?? font["?"]!).forEach((bits, row) => {
      for (let column = 0; column < COLUMNS; column++) {
        if (!((bits >> (COLUMNS - 1 - column)) & 1)) continue;
        const [from, to] = [edge(place * (COLUMNS + 1) + column), edge(place * (COLUMNS + 1) + column + 1)];
        context.fillRect(left + from, top + edge(row), to - from, edge(row + 1) - edge(row));
      }
    });
  });
}
