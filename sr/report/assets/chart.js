// A plot of measured networks: pointing at one tells what it is, opening one shows all of it.

const FAR = 3;  // A hand-designed network so many times beyond all others is named below the plot instead of drawn.
const LANE = 18;  // The height of a lane of the strip of what has a runtime and no PSNR.

/** Part the points into those to draw, those for the strip, and those that lie far off. */
function partPoints(spec, data) {
  const kindOf = (point) => data.kinds[point.kind];
  const x = (point) => point[spec.x.key] / (spec.x.size ?? 1), y = (point) => point[spec.y.key] / (spec.y.size ?? 1);
  const drawable = data.points.filter((point) => x(point) > 0 || !spec.x.log);
  const full = drawable.filter((point) => point[spec.y.key] !== undefined);
  const own = full.filter((point) => !kindOf(point).far).map(x);
  const [low, high] = own.length ? [Math.min(...own) / FAR, Math.max(...own) * FAR] : [0, Infinity];
  const isFar = (point) => kindOf(point).far && spec.y.key === "psnr" && (x(point) < low || x(point) > high);
  const far = full.filter(isFar);
  const strip = spec.strip ? drawable.filter((point) => point[spec.y.key] === undefined) : [];
  return { kindOf, x, y, near: full.filter((point) => !far.includes(point)), far, strip };
}

/** Return the ranges of both axes: an outlier or two do not squeeze everything else into a corner. */
function rangesOf(spec, parts) {
  const { x, y, near, strip, kindOf } = parts;
  const bars = spec.bars ? near.flatMap((point) => (kindOf(point).counts ? [point.p10, point.p90] : [])).filter(Boolean) : [];
  const across = [...near.map(x), ...bars, ...(spec.budget ? [spec.budget] : [])];
  const edge = across.length ? 2.2 * Math.max(...across) : Infinity;
  across.push(...strip.map(x).filter((value) => value <= edge));
  const spread = (low, high, log, share) => {
    if (log) { const by = Math.max(1.04, (high / low) ** share); return [low / by, high * by]; }
    const by = Math.max(share * (high - low), 1e-9 + 0.002 * Math.abs(high)); return [low - by, high + by];
  };
  const xs = spread(Math.min(...across), Math.max(...across), spec.x.log, 0.05);
  const values = near.map(y), counted = near.filter((point) => kindOf(point).counts).map(y);
  if (!values.length) return { xs, ys: [0, 1] };
  if (spec.y.log) return { xs, ys: spread(Math.min(...values), Math.max(...values), true, 0.08) };
  if (spec.y.key !== "psnr") return { xs, ys: [Math.min(0, ...values), Math.max(...values) * 1.08 || 1] };
  const base = counted.length ? counted : values, [least, most] = [Math.min(...values), Math.max(...values)];
  // A hundredth of a dB is no difference that fills a plot.
  if (most - least < 0.1) return { xs, ys: [(most + least) / 2 - 0.08, (most + least) / 2 + 0.08] };
  const span = Math.max(most - Math.min(...base), 0.15);
  return { xs, ys: [Math.max(Math.min(...base) - 0.5 * span, least - 0.1 * span), most + 0.15 * span] };
}

/** Draw the frame: grid, ticks, titles, budget. */
function drawFrame(spec, picture, box, sx, sy, hasStrip) {
  for (const tick of sy.ticks) {
    const at = sy.at(tick).toFixed(1);
    svg("path", { d: `M${box.left} ${at}H${box.right}`, stroke: "var(--grid)" }, picture);
    svg("text", { x: box.left - 7, y: Number(at) + 4.5, "text-anchor": "end" }, picture, tickText(tick));
  }
  for (const tick of sx.ticks) {
    const at = sx.at(tick).toFixed(1);
    svg("path", { d: `M${at} ${box.top}V${box.floor}`, stroke: "var(--grid)" }, picture);
    const atEdge = box.right - at < 4 * tickText(tick).length - 12;
    svg("text", { x: atEdge ? box.right + 12 : at, y: box.floor + 17, "text-anchor": atEdge ? "end" : "middle" }, picture, tickText(tick));
  }
  const middle = (box.left + box.right) / 2, unit = (axis) => (axis.unit ? `${axis.name} (${axis.unit})` : axis.name);
  svg("text", { x: middle, y: box.floor + 37, "text-anchor": "middle" }, picture, unit(spec.x));
  svg("text", { x: box.left - 2, y: box.top - 9, "text-anchor": "start" }, picture, `${unit(spec.y)} \u2191`);
  if (hasStrip) svg("path", { d: `M${box.left} ${box.bottom}H${box.right}`, stroke: "var(--axis)", "stroke-dasharray": "2 3" }, picture);
  svg("path", { d: `M${box.left} ${box.floor}H${box.right}`, stroke: "var(--axis)" }, picture);
  if (!spec.budget || sx.at(spec.budget) > box.right) return;
  const at = sx.at(spec.budget);
  svg("rect", { x: at, y: box.top, width: box.right - at, height: box.floor - box.top, fill: "var(--shade)" }, picture);
  svg("path", { d: `M${at} ${box.top}V${box.floor}`, stroke: "var(--vermilion)", "stroke-width": 1.5, "stroke-dasharray": "6 4" }, picture);
  // Left of it stands what the other axis is.
  const least = box.left + 88, anchor = box.right - at < 50 ? "end" : at - 50 < least ? "start" : "middle";
  const x = { end: box.right, start: Math.max(at, least), middle: at }[anchor];
  svg("text", { x, y: box.top - 9, "text-anchor": anchor, style: "fill: var(--vermilion)", class: "strong" },
    picture, spec.budgetText || `budget ${tickText(spec.budget)} ms`);
}

/** Draw the line under which every network of the front lies: the best to be had up to each x. */
function drawFront(parts, picture, sx, sy) {
  const corners = [];
  for (const point of parts.near.filter((each) => parts.kindOf(each).front).sort((a, b) => parts.x(a) - parts.x(b))) {
    if (!corners.length || parts.y(point) > parts.y(corners[corners.length - 1])) corners.push(point);
  }
  const path = corners.map((point, index) => {
    const [x, y] = [sx.at(parts.x(point)).toFixed(1), sy.at(parts.y(point)).toFixed(1)];
    return index ? `H${x}V${y}` : `M${x} ${y}`;
  });
  const end = Math.max(...parts.near.filter((each) => parts.kindOf(each).front).map(parts.x));
  if (corners.length) path.push(`H${sx.at(end).toFixed(1)}`);
  svg("path", { d: path.join(""), fill: "none", stroke: "var(--blue)", "stroke-width": 2 }, picture);
}

/** Return what lies in the strip: each in a lane, those with a name where it has room beside the marker. */
function lanesOf(parts, sx, box) {
  const ends = parts.strip.some((point) => !parts.kindOf(point).named) ? [Infinity] : [];
  const found = parts.strip.map((point) => ({ point, x: sx.at(parts.x(point)), lane: 0 })).filter((place) => place.x <= box.right);
  for (const place of found.filter(({ point }) => parts.kindOf(point).named).sort((a, b) => a.x - b.x)) {
    const text = place.point.name ?? place.point.id, width = widthOf(text, false);
    // At the right edge the name stands on the left of its marker.
    const isLeft = place.x + 10 + width > box.right, from = place.x - (isLeft ? 10 + width : 8);
    const free = ends.findIndex((end) => end <= from);
    place.lane = free < 0 ? ends.length : free;
    ends[place.lane] = place.x + (isLeft ? 8 : 10 + width) + 6;
    Object.assign(place, { text, named: isLeft ? place.x - 10 : place.x + 10, anchor: isLeft ? "end" : "start" });
  }
  return { found, count: ends.length };
}

/** Draw the spread of the runtime, and of the PSNR where seeds differ, of the places of one kind. */
function drawBars(spec, kind, places, picture, box, sx, sy) {
  const path = [];
  for (const { point, x, y } of places) {
    if (spec.x.key === "ms" && point.p90 > point.p10) {
      const [from, to] = [point.p10, point.p90].map((value) => Math.min(box.right, Math.max(box.left, sx.at(value))).toFixed(1));
      path.push(`M${from} ${y.toFixed(1)}H${to}`);
    }
    if (spec.y.key === "psnr" && point.spread) {
      const [from, to] = [point.psnr - point.spread, point.psnr + point.spread].map((value) => sy.at(value).toFixed(1));
      path.push(`M${x.toFixed(1)} ${from}V${to}`);
    }
  }
  if (!path.length) return;
  svg("path", { d: path.join(""), stroke: `var(--${kind.color})`, "stroke-opacity": kind.counts ? 0.8 : 0.35, fill: "none" }, picture);
}

/** Return what names keep off: markers, and the bars of those that count. */
function obstaclesOf(spec, parts, places, sx) {
  return places.flatMap(({ point, x, y }) => {
    const { size, counts } = parts.kindOf(point), r = size + 1;
    const marker = { left: x - r, right: x + r, top: y - r, bottom: y + r, weight: counts ? 60 : 12 };
    if (!spec.bars || spec.x.key !== "ms" || !counts || !(point.p90 > point.p10)) return [marker];
    return [marker, { left: sx.at(point.p10), right: sx.at(point.p90), top: y - 2, bottom: y + 2, weight: 12 }];
  });
}

/** Draw names where there is room, with a line to those that stand off; return how many found none. */
function drawNames(spec, parts, places, picture, box, sx) {
  const isNamed = ({ point }) => point.name && parts.kindOf(point).named;
  const wanted = places.filter(isNamed).sort((a, b) => parts.kindOf(b.point).order - parts.kindOf(a.point).order)
    .map((place) => ({ ...place, text: place.point.name, strong: parts.kindOf(place.point).strong }));
  const found = placeLabels(wanted.slice(0, 60), obstaclesOf(spec, parts, places, sx), box);
  found.forEach((label, index) => {
    const { x, y, text, strong, point } = wanted[index];
    if (!label) return;
    const [middle, color] = [(label.left + label.right) / 2, `var(--${parts.kindOf(point).color})`];
    if (label.reach > 30) {
      const [toX, toY] = [Math.max(label.left, Math.min(label.right, x)), y < label.top ? label.top : label.bottom];
      svg("path", { d: `M${x} ${y}L${toX} ${toY}`, stroke: "var(--axis)", "stroke-width": 0.8 }, picture);
    }
    svg("text", { x: middle, y: label.bottom - 4, "text-anchor": "middle", class: strong ? "name strong" : "name", style: `fill: ${color}` },
      picture, text);
  });
  return wanted.length - found.filter(Boolean).length;
}

/** Say what a network is, as what stands beside the pointer. */
function wordsOf(point, kind) {
  const lines = [`${point.id}${kind.words ? ` (${kind.words})` : ""}`];
  if (point.ms !== undefined) {
    const psnr = point.psnr === undefined ? "no PSNR" : `${point.psnr.toFixed(2)} dB${point.spread ? ` \u00b1 ${point.spread.toFixed(2)}` : ""}`;
    lines.push(`${psnr}, ${digits(point.ms)} ms${point.p90 > point.p10 ? ` (${digits(point.p10)} to ${digits(point.p90)})` : ""}`);
  }
  if (point.activations) lines.push(`${digits(point.activations / 1e6)} M activations, ${digits(point.multi_adds / 1e9)} G multiply-adds`);
  return [...lines, ...(point.lines ?? [])];
}

/** Show beside the plot what its markers mean. */
function drawLegend(spec, data, parts, figure) {
  const list = html("ul", "legend", figure), drawn = new Set([...parts.near, ...parts.strip].map((point) => point.kind));
  for (const [name, kind] of Object.entries(data.kinds).sort(([, a], [, b]) => b.order - a.order)) {
    if (!drawn.has(name) || !kind.words) continue;
    const item = html("li", "", list);
    svg("path", { d: SHAPES[kind.shape](8, 8, 5.5), ...paint(kind) }, svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, item));
    item.append(kind.words);
  }
  for (const note of spec.notes ?? []) html("li", "", list, note);
}

/** Draw one figure and keep it drawn as its width changes. */
function drawChart(figure) {
  const spec = JSON.parse(figure.querySelector("script").textContent), data = datasets[spec.data];
  const parts = partPoints(spec, data);
  if (!parts.near.length && !parts.strip.length) { html("p", "note", figure, "There is nothing to draw yet."); return; }
  const ranges = rangesOf(spec, parts);
  const picture = svg("svg", { tabindex: 0, role: "application", "aria-roledescription": "plot", "aria-label":
    `${spec.title}. Left and right arrow keys move from network to network${spec.opens ? ", Enter opens one" : ""}.` }, figure);
  const tip = html("div", "tip", figure);
  tip.setAttribute("role", "status");
  if (spec.opens) figure.classList.add("opens");
  let places = [], ring = null, at = -1, width = 0;

  const draw = () => {
    width = figure.clientWidth;
    const height = Math.min(spec.height ?? 430, Math.max(320, 0.85 * width));
    picture.replaceChildren();
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.setAttribute("height", height);
    const floor = height - 46, box = { left: 56, right: width - 12, top: 28, bottom: floor, floor };
    const sx = scaleOf(spec.x, ...ranges.xs, box.left, box.right), strip = lanesOf(parts, sx, box);
    box.bottom -= strip.count ? strip.count * LANE + 4 : 0;
    const sy = scaleOf(spec.y, ...ranges.ys, box.bottom, box.top);
    drawFrame(spec, picture, box, sx, sy, strip.count > 0);
    const below = parts.near.filter((point) => parts.y(point) < sy.low).length;
    places = parts.near.filter((point) => parts.y(point) >= sy.low)
      .map((point) => ({ point, x: sx.at(parts.x(point)), y: sy.at(parts.y(point)) }));
    const plotted = [...places], inStrip = strip.found.map((place) => ({ ...place, y: floor - (place.lane + 0.5) * LANE }));
    places.push(...inStrip);
    places.sort((a, b) => a.x - b.x);
    if (spec.front) drawFront(parts, picture, sx, sy);
    const kinds = Object.entries(data.kinds).sort(([, a], [, b]) => a.order - b.order);
    for (const [name, kind] of kinds) {
      const same = places.filter(({ point }) => point.kind === name);
      if (!same.length) continue;
      if (spec.bars) drawBars(spec, kind, same.filter((place) => place.lane === undefined), picture, box, sx, sy);
      svg("path", { d: same.map(({ x, y }) => SHAPES[kind.shape](Math.round(10 * x) / 10, Math.round(10 * y) / 10, kind.size)).join(""),
        class: `kind-${name}`, ...paint(kind) }, picture);
    }
    const nameless = drawNames(spec, parts, plotted, picture, box, sx), lost = parts.strip.length - inStrip.length;
    for (const { point, text, named, anchor, y } of inStrip.filter((place) => place.text)) {
      svg("text", { x: named, y: y + 4.5, "text-anchor": anchor, class: "name", style: `fill: var(--${parts.kindOf(point).color})` }, picture, text);
    }
    const asides = [
      ...(below ? [`\u2193 ${below} more below the plot`] : []), ...(lost ? [`\u2192 ${lost} more beyond the right edge`] : []),
      ...(nameless ? [`${nameless} names found no room: point at the markers`] : []),
      ...parts.far.map((point) => `beyond the plot: ${point.name ?? point.id}, ${point.psnr.toFixed(2)} dB at ${digits(point.ms)} ms`)];
    aside.textContent = asides.join("; ");
    ring = svg("circle", { r: 11, fill: "none", stroke: "var(--focus)", "stroke-width": 2.5, visibility: "hidden" }, picture);
    at = -1;
  };

  const show = (index) => {
    at = index;
    tip.replaceChildren();
    ring.setAttribute("visibility", index < 0 ? "hidden" : "visible");
    if (index < 0) return;
    const { point, x, y } = places[index];
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
    wordsOf(point, parts.kindOf(point)).forEach((line, number) => html(number ? "span" : "b", "", tip, line));
    tip.style.left = `${Math.max(0, Math.min(x + 14, width - tip.offsetWidth - 4))}px`;
    tip.style.top = y > 130 ? `${y - tip.offsetHeight - 14}px` : `${y + 16}px`;
  };
  const nearest = (event) => {
    const area = picture.getBoundingClientRect(), [x, y] = [event.clientX - area.left, event.clientY - area.top];
    let best = -1, least = 26 ** 2;
    places.forEach((place, index) => {
      const order = parts.kindOf(place.point).order, distance = (place.x - x) ** 2 + (place.y - y) ** 2 - 4 * order;
      if (distance < least) [best, least] = [index, distance];
    });
    return best;
  };
  const open = () => { if (at >= 0 && spec.opens) openPanel(places[at].point, parts.kindOf(places[at].point), picture); };
  const step = (from, by, keep) => {
    for (let index = from; index >= 0 && index < places.length; index += by) if (keep(places[index])) return index;
    return at;
  };

  picture.addEventListener("pointermove", (event) => show(nearest(event)));
  picture.addEventListener("pointerleave", () => show(-1));
  picture.addEventListener("blur", () => show(-1));
  picture.addEventListener("click", (event) => { show(nearest(event)); open(); });
  picture.addEventListener("keydown", (event) => {
    const any = () => true, counts = ({ point }) => parts.kindOf(point).counts;
    const moves = {
      ArrowRight: () => step(at + 1, 1, any), ArrowLeft: () => step(at < 0 ? places.length - 1 : at - 1, -1, any),
      ArrowUp: () => step(at + 1, 1, counts), ArrowDown: () => step(at < 0 ? places.length - 1 : at - 1, -1, counts),
      Home: () => step(0, 1, any), End: () => step(places.length - 1, -1, any),
    };
    if (event.key === "Enter" || event.key === " ") open();
    else if (event.key === "Escape") show(-1);
    else if (moves[event.key]) show(moves[event.key]());
    else return;
    event.preventDefault();
  });
  drawLegend(spec, data, parts, figure);
  const aside = html("p", "note", figure);
  draw();
  new ResizeObserver(() => { if (figure.clientWidth !== width) draw(); }).observe(figure);
}

document.querySelectorAll("figure.chart").forEach(drawChart);
