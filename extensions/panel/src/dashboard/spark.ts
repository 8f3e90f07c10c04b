// A run's returns as a line of a word's size.

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 64;
const HEIGHT = 18;

/** Build the line; `show` draws points from 0 to 100. */
export function spark() {
  const root = document.createElementNS(SPACE, "svg");
  const path = document.createElementNS(SPACE, "path");
  root.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  root.setAttribute("class", "wbd-spark");
  root.setAttribute("aria-hidden", "true");
  root.append(path);
  let shown: number[] = [];
  return {
    root,
    show(points: number[]): void {
      if (points === shown) return;
      shown = points;
      const at = (value: number, index: number) =>
        `${((index / Math.max(1, points.length - 1)) * (WIDTH - 2) + 1).toFixed(1)} ${((1 - value / 100) * (HEIGHT - 3) + 1.5).toFixed(1)}`;
      path.setAttribute("d", points.length > 1 ? `M${points.map(at).join("L")}` : "");
    },
  };
}
