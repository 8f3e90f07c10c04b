// When a view is drawn: once a frame, all that changed, and only while somebody may see it. What it costs is measured.

const RECENT = 12; // drawings of which the mean is the cost
const USUAL = 2 / 3; // of them, the cheapest: the first one, and a machine's hiccups, say little
const WORTH = 2; // times the cost that was told last, or a part of it, is a change worth telling: each message has JupyterLab draw, too

/** Tell `told` what a drawing costs the page's thread, in seconds, whenever that changes much; null while nobody looks. */
export function painter(root: Element, told: (cost: number | null) => void) {
  const due = new Set<() => void>();
  const after = new MessageChannel();
  let frame = 0;
  let began = 0;
  let costs: number[] = [];
  let last: number | null | undefined;
  let onScreen = false;

  function tell(next: number | null): void {
    const near = next !== null && last != null && next < WORTH * last && next > last / WORTH;
    if (near || next === last) return;
    last = next;
    told(next);
  }

  function draw(): void {
    began = performance.now();
    try {
      for (const work of due) {
        due.delete(work);
        work(); // What it asks for is done in the same frame.
      }
    } finally {
      frame = 0; // One drawing that fails is not the last one.
    }
    after.port2.postMessage(null); // It arrives when the frame is laid out, painted and handed over.
  }

  after.port1.onmessage = () => {
    costs = [...costs, (performance.now() - began) / 1000].slice(-RECENT);
    look();
  };
  const usual = () => {
    const counted = [...costs].sort((a, b) => a - b).slice(0, Math.ceil(USUAL * costs.length));
    return counted.reduce((sum, each) => sum + each, 0) / Math.max(1, counted.length);
  };
  const look = () => tell(onScreen && document.visibilityState === "visible" ? usual() : null);
  const observer = new IntersectionObserver((entries) => {
    onScreen = entries.at(-1)?.isIntersecting ?? false;
    look();
  });
  observer.observe(root);
  document.addEventListener("visibilitychange", look);

  return {
    /** Do `work` with the next frame; several askings are one. */
    paint(work: () => void): void {
      due.add(work);
      if (frame === 0) frame = requestAnimationFrame(draw);
    },
    destroy(): void {
      cancelAnimationFrame(frame);
      observer.disconnect();
      after.port1.close();
      document.removeEventListener("visibilitychange", look);
      if (last !== null) told(null);
    },
  };
}
