// The panel of one network: its diagram, its counts, and the command that exports it.

const dialog = html("dialog", "");
dialog.setAttribute("aria-labelledby", "panel-title");
let opener = null;
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => opener?.focus());
document.body.append(dialog);

/** Offer a file for download. */
function offer(name, text, type) {
  const link = html("a", "");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Add a command with a button that copies it. */
function addCommand(text, parent) {
  const code = html("pre", "", parent, text), button = html("button", "", parent, "Copy the command");
  button.type = "button";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch (refused) {
      getSelection().selectAllChildren(code);
      button.textContent = `Selected: press Ctrl+C (${refused.name})`;
    }
  });
}

/** Return runs of equal blocks: [kind, how many]. */
function runsOf(blocks) {
  const runs = [];
  for (const kind of blocks) {
    if (runs.length && runs[runs.length - 1][0] === kind) runs[runs.length - 1][1] += 1;
    else runs.push([kind, 1]);
  }
  return runs;
}

/** Draw a network as boxes from LR to HR, the ways around them as lines at the side. */
function diagram(network, words, parent) {
  const upscaled = network.steps.find((step) => step.adds === "image");
  const row = 58, width = 430, [left, wide] = [70, 300], height = network.steps.length * row;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width: "100%", role: "img", "aria-label": words }, parent);
  const middle = left + wide / 2;
  network.steps.forEach((step, index) => {
    const top = index * row + 6;
    if (index) svg("path", { d: `M${middle} ${top - 18}V${top - 1}m-4 -6l4 6l4 -6`, fill: "none", stroke: "var(--axis)", "stroke-width": 1.5 }, picture);
    svg("rect", { x: left, y: top, width: wide, height: 40, rx: 7, fill: "var(--paper)", stroke: `var(--${step.color})`, "stroke-width": 2 }, picture);
    svg("text", { x: middle, y: top + 17, "text-anchor": "middle", style: "font-weight: 600" }, picture, step.title);
    svg("text", { x: middle, y: top + 33, "text-anchor": "middle", class: "small" }, picture, step.words);
  });
  const around = (from, to, side, text) => {
    const edge = side < 0 ? left : left + wide, out = edge + side * 30;
    const [start, end] = [from * row + 26, to * row + 26];
    svg("path", { d: `M${edge} ${start}H${out}V${end}H${edge}m${side * 6} -4l${-side * 6} 4l${side * 6} 4`, fill: "none",
      stroke: "var(--violet)", "stroke-width": 1.5, "stroke-dasharray": "5 3" }, picture);
    const label = svg("text", { "text-anchor": "middle", class: "small",
      transform: `translate(${out + side * 12} ${(start + end) / 2}) rotate(${-90 * -side})` }, picture, text);
    return label;
  };
  if (upscaled) around(0, network.steps.indexOf(upscaled), -1, network.imageSkip);
  const joined = network.steps.findIndex((step) => step.adds === "features");
  if (joined > 0) around(1, joined, 1, "the first features, added again");
}

/** Open the panel of a network; closing it gives the focus back. */
function openPanel(point, kind, from) {
  opener = from;
  dialog.replaceChildren();
  const head = html("header", "", dialog), title = html("h2", "", head, `${point.id}${kind.words ? `: ${kind.words}` : ""}`);
  title.id = "panel-title";
  const close = html("button", "", head, "Close");
  close.type = "button";
  close.addEventListener("click", () => dialog.close());
  (point.lines ?? []).forEach((line) => html("p", "", dialog, line));
  const described = point.architecture === undefined ? null : networkOf(point.architecture);
  if (described) diagram(described, `Diagram: ${described.steps.map((step) => `${step.title} (${step.words})`).join(", then ")}`, dialog);
  const list = html("dl", "", dialog);
  const figures = [
    ["PSNR", point.psnr, (value) => `${value.toFixed(2)} dB`],
    ["runtime", point.ms, (value) => `${digits(value)} ms; nine runs of ten within ${digits(point.p90)} ms`],
    ["activations", point.activations, (value) => `${digits(value / 1e6)} M`],
    ["multiply-adds", point.multi_adds, (value) => `${digits(value / 1e9)} G`],
    ["parameters", point.params, (value) => value.toLocaleString("en-GB")],
    ["convolutions", point.convs, String],
    ["memory at the peak", point.memory, (value) => `${digits(value / 2 ** 20)} MiB`],
  ];
  for (const [name, value, text] of figures) {
    if (value === undefined) continue;
    html("dt", "", list, name);
    html("dd", "", list, text(value));
  }
  if (point.command) {
    html("h3", "", dialog, point.leads ?? "Take it away");
    addCommand(point.command, dialog);
  }
  if (point.note) html("p", "note", dialog, point.note);
  if (described) {
    const tools = html("div", "tools", dialog), button = html("button", "", tools, "Download its description");
    button.type = "button";
    button.addEventListener("click", () =>
      offer(`${point.id.replace(/\W+/g, "") || "network"}.json`, JSON.stringify(point.architecture, null, 2), "application/json"));
  }
  dialog.showModal();
  dialog.scrollTop = 0;
}

/** Return what is drawn of an architecture: the steps from LR to HR, by the words that the page brings along. */
function networkOf(architecture) {
  const vocabulary = datasets.vocabulary, scale = vocabulary.scale;
  const blocks = architecture.blocks.filter((kind) => kind !== "identity");
  const steps = [
    { title: "LR picture", words: "3 channels", color: "grey" },
    { title: "convolution 3\u00d73", words: `3 to ${architecture.num_feat} channels`, color: "blue" },
    ...runsOf(blocks).map(([kind, count]) => ({ title: `${count} \u00d7 ${kind}`, words: vocabulary.blocks[kind] ?? "", color: "green" })),
  ];
  const joining = vocabulary.aggregation[architecture.aggregation];
  if (joining) steps.push({ title: architecture.aggregation, words: joining, color: "violet", adds: "features" });
  const skip = vocabulary.image_skip[architecture.image_skip];
  steps.push({ title: architecture.upsampler, words: vocabulary.upsampler[architecture.upsampler] ?? "", color: "vermilion" });
  steps.push({ title: `HR picture, \u00d7${scale}`, color: "grey", ...(skip
    ? { words: `plus the LR picture, enlarged ${skip}`, adds: "image" } : { words: "3 channels" }) });
  return { steps, imageSkip: skip ? `LR, enlarged ${skip}` : "" };
}

for (const button of document.querySelectorAll("button[data-csv]")) {
  button.addEventListener("click", () => {
    const names = ["id", "kind", "psnr", "ms", "p10", "p90", "activations", "multi_adds", "params", "convs", "memory", "spread", "lines"];
    const cell = (value) => (value === undefined ? "" : `"${String(Array.isArray(value) ? value.join("; ") : value).replaceAll('"', '""')}"`);
    const rows = datasets[button.dataset.csv].points.map((point) => names.map((name) => cell(point[name])).join(","));
    offer(`${button.dataset.csv}.csv`, [names.join(","), ...rows].join("\n"), "text/csv");
  });
}
for (const button of document.querySelectorAll("button[data-copy]")) {
  const holder = html("div", "");
  addCommand(button.dataset.copy, holder);
  button.replaceWith(holder);
}
