/** Grids of coloured cells: rows of the state or of the observation, or the channels of an observation. */

import { type Lane, evaluate, held, type Tree } from "./expression";
import { COLUMNS, type Font, ROWS, write } from "./text";

export interface Grid {
  kind: "cells" | "channels";
  first: number;
  rows: number;
  columns: number;
  source: "state" | "observation";
  palette: string[];
  labels: string[];
  shape: [number, number, number];
  x: Tree;
  y: Tree;
  width: Tree;
  height: Tree;
}

const INK = "#202020";

export function drawCells(
  context: CanvasRenderingContext2D, grid: Grid, lane: Lane, scale: number, font: Font,
): void {
  const values = lane[grid.source];
  const { rows, columns, first, labels, palette } = grid;
  fill(context, grid, rows, columns, lane, scale, (k) => palette[held(values[first + k]!, palette.length)]);
  if (!labels.length) return;
  context.fillStyle = INK;
  const [left, top, width, height] = place(grid, lane, scale);
  for (let k = 0; k < rows * columns; k++) {
    const label = labels[held(values[first + k]!, labels.length)]!;
    const size = Math.min((height / rows) * 0.45, ((width / columns) * 0.8 * ROWS) / (6 * Math.max(1, label.length)));
    const long = (((COLUMNS + 1) * label.length - 1) * size) / ROWS;
    const [row, column] = [Math.floor(k / columns), k % columns];
    const x = left + ((column + 0.5) * width) / columns - long / 2;
    write(context, label, x, top + ((row + 0.5) * height) / rows, size, font);
  }
}

export function drawChannels(context: CanvasRenderingContext2D, grid: Grid, lane: Lane, scale: number): void {
  const [channels, rows, columns] = grid.shape;
  const cells = rows * columns;
  fill(context, grid, rows, columns, lane, scale, (k) => {
    for (let channel = channels - 1; channel >= 0; channel--) {
      if (lane.observation[channel * cells + k]) return grid.palette[Math.min(channel, grid.palette.length - 1)];
    }
    return "";
  });
}

function place(grid: Grid, lane: Lane, scale: number): [number, number, number, number] {
  const [x, y, width, height] = [grid.x, grid.y, grid.width, grid.height].map((tree) => evaluate(tree, lane) * scale);
  return [x!, y!, width!, height!];
}

/** Fill the cells whose colour is not empty; a cell's edges are rounded to whole pixels. */
function fill(
  context: CanvasRenderingContext2D, grid: Grid, rows: number, columns: number, lane: Lane, scale: number,
  colour: (cell: number) => string | undefined,
): void {
  const [left, top, width, height] = place(grid, lane, scale);
  const x = (column: number): number => Math.round(left + (column * width) / columns);
  const y = (row: number): number => Math.round(top + (row * height) / rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const chosen = colour(row * columns + column);
      if (!chosen) continue;
      context.fillStyle = chosen;
      context.fillRect(x(column), y(row), x(column + 1) - x(column), y(row + 1) - y(row));
    }
  }
}
