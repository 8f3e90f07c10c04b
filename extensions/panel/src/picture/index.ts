/** Draw an environment's picture, as `workbench_kernels.pictures.description` describes it, onto a canvas. */

import { type Lane, type Tree, evaluate, held } from "./expression";
import { type Grid, drawCells, drawChannels } from "./grids";
import { type Font, write } from "./text";

interface Drawn {
  kind: string;
  colour: string[];
  index: Tree;
  visible: Tree;
  points: [Tree, Tree][];
  text: string;
  size: number;
  digits: number;
  [number: string]: unknown;
}

export interface Picture {
  width: number;
  height: number;
  background: string;
  font: Font;
  shapes: (Drawn | Grid)[];
}

/** Draw one lane; the canvas is `picture.width * scale` by `picture.height * scale` pixels. */
export function draw(context: CanvasRenderingContext2D, picture: Picture, lane: Lane, scale: number): void {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = picture.background;
  context.fillRect(0, 0, Math.round(picture.width * scale), Math.round(picture.height * scale));
  for (const shape of picture.shapes) {
    if (shape.kind === "cells") drawCells(context, shape as Grid, lane, scale, picture.font);
    else if (shape.kind === "channels") drawChannels(context, shape as Grid, lane, scale);
    else drawShape(context, shape as Drawn, lane, scale, picture.font);
  }
}

function drawShape(context: CanvasRenderingContext2D, shape: Drawn, lane: Lane, scale: number, font: Font): void {
  const colour = shape.colour[held(evaluate(shape.index, lane), shape.colour.length)];
  if (!evaluate(shape.visible, lane) || !colour) return;
  const at = (name: string): number => evaluate(shape[name] as Tree, lane) * scale;
  context.fillStyle = context.strokeStyle = colour;
  context.beginPath();
  switch (shape.kind) {
    case "rectangle":
      context.save();
      context.translate(at("x"), at("y"));
      context.rotate(evaluate(shape.angle as Tree, lane));
      context.fillRect(-at("width") / 2, -at("height") / 2, at("width"), at("height"));
      context.restore();
      break;
    case "circle":
      context.arc(at("x"), at("y"), Math.max(0, at("radius")), 0, 2 * Math.PI);
      context.fill();
      break;
    case "line":
      context.lineCap = "round";
      context.lineWidth = at("width");
      context.moveTo(at("x1"), at("y1"));
      context.lineTo(at("x2"), at("y2"));
      context.stroke();
      break;
    case "polygon":
      for (const [x, y] of shape.points) context.lineTo(evaluate(x, lane) * scale, evaluate(y, lane) * scale);
      context.fill("evenodd");
      break;
    case "text": {
      const value = evaluate(shape.value as Tree, lane).toFixed(shape.digits);
      write(context, shape.text.replaceAll("{}", value), at("x"), at("y"), shape.size * scale, font);
    }
  }
}
