// What everything here draws with.
const NAMESPACE = "http://www.w3.org/2000/svg";

/** Make an SVG element with attributes, inside a parent, holding a text. */
function svg(name, attributes, parent, text) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes ?? {})) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

/** Make an HTML element of a class, inside a parent, holding a text. */
function html(name, className, parent, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

/** Return a number with three digits that count, or all those before the point. */
function digits(value) {
  if (!Number.isFinite(value) || value === 0) return String(value);
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString("en-GB", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** Return the outline of a marker around a place, as a path. */
const SHAPES = {
  circle: (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  diamond: (x, y, r) => `M${x} ${y - r}l${r} ${r}l${-r} ${r}l${-r} ${-r}z`,
  square: (x, y, r) => `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
  triangle: (x, y, r) => `M${x} ${y - r}L${x + r} ${y + 0.8 * r}H${x - r}z`,
  cross: (x, y, r) => `M${x - r} ${y - r}l${2 * r} ${2 * r}M${x - r} ${y + r}l${2 * r} ${-2 * r}`,
  star: (x, y, r) => {
    const corner = (index) => {
      const angle = (Math.PI * index) / 5 - Math.PI / 2, reach = index % 2 ? 0.45 * r : r;
      return `${(x + reach * Math.cos(angle)).toFixed(1)} ${(y + reach * Math.sin(angle)).toFixed(1)}`;
    };
    return `M${[...Array(10).keys()].map(corner).join("L")}z`;
  },
};

/** Return the attributes that a kind's markers are painted with. */
function paint(kind) {
  const color = `var(--${kind.color})`;
  return kind.shape === "cross"
    ? { fill: "none", stroke: color, "stroke-width": 1.6 }
    : { fill: color, stroke: "var(--box)", "stroke-width": 1, "fill-opacity": kind.opacity ?? 1 };
}

const datasets = {};
for (const element of document.querySelectorAll("script[data-dataset]")) {
  datasets[element.dataset.dataset] = JSON.parse(element.textContent);
}
