// Whether somebody may see a part of the page: what is off screen, folded away or on a hidden page asks for nothing.

/** Watch `target`; `changed` is called whenever it may have come into view. */
export function sight(target: Element, changed: () => void) {
  let onScreen = false;
  const observer = new IntersectionObserver((entries) => {
    onScreen = entries.at(-1)?.isIntersecting ?? false;
    changed();
  });
  observer.observe(target);
  document.addEventListener("visibilitychange", changed);
  return {
    seen: () => onScreen && document.visibilityState === "visible",
    destroy(): void {
      observer.disconnect();
      document.removeEventListener("visibilitychange", changed);
    },
  };
}
