// Where names go, so that none lies on another or leaves the plot.

const LABEL_HEIGHT = 16;
const measuring = document.createElement("canvas").getContext("2d");

/** Return how wide a name is, in pixels. */
function widthOf(text, strong) {
  measuring.font = `${strong ? 700 : 500} 13px system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif`;
  return measuring.measureText(text).width * 1.04 + 4;
}

const overlap = (a, b) =>
  Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
  Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));

/** Return the boxes where a name may stand: beside its marker first, then further out. */
function* places(x, y, width) {
  for (const reach of [10, 20, 34, 50, 70, 95, 125, 160]) {
    for (let turn = 0; turn < 16; turn += 1) {
      const angle = (Math.PI * (turn * 2 + 1)) / 16;
      const middle = { x: x + Math.cos(angle) * (reach + width / 2), y: y + Math.sin(angle) * (reach + 4) };
      const left = middle.x - width / 2, top = middle.y - LABEL_HEIGHT / 2;
      yield { left, right: left + width, top, bottom: top + LABEL_HEIGHT, reach };
    }
  }
}

/**
 * Place names one after another.
 *
 * wanted: {x, y, text, strong} in pixels, the most important first. obstacles: boxes with a weight, that names avoid. inside:
 * the box that they stay in. Returns a box or null for each.
 */
function placeLabels(wanted, obstacles, inside) {
  // In a narrow plot far names with their lines are a tangle.
  const furthest = inside.right - inside.left < 500 ? 50 : 160;
  const placed = [];
  return wanted.map(({ x, y, text, strong }) => {
    const width = widthOf(text, strong);
    let best = null, least = Infinity;
    for (const box of places(x, y, width)) {
      if (box.reach > Math.min(least, furthest)) break;
      if (box.left < inside.left || box.right > inside.right || box.top < inside.top || box.bottom > inside.bottom) continue;
      if (placed.some((other) => overlap(box, other) > 0)) continue;
      let cost = box.reach;
      for (const obstacle of obstacles) if (overlap(box, obstacle) > 0) cost += obstacle.weight;
      if (cost < least) [best, least] = [box, cost];
    }
    if (best) placed.push(best);
    return best;
  });
}
