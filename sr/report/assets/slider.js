// Pictures of the same place beside each other, under a slider that a mouse, a finger and the arrow keys move.

for (const figure of document.querySelectorAll(".compare")) {
  const stage = figure.querySelector(".stage"), range = stage.querySelector("input");
  const [left, right] = ["left", "right"].map((side) => stage.querySelector(`img.${side}`));
  const [leftTag, rightTag] = ["of-left", "of-right"].map((side) => stage.querySelector(`.${side}`));
  const crops = [...figure.querySelectorAll(".crops button")], lists = [...figure.querySelectorAll(".versions")];
  let crop = 0, shown = figure.dataset.left;

  const move = (percent) => {
    range.value = Math.max(0, Math.min(100, percent));
    stage.style.setProperty("--at", `${range.value}%`);
    const share = Math.round(range.value);
    range.setAttribute("aria-valuetext", `${leftTag.textContent} on ${share} %, ${rightTag.textContent} on ${100 - share} %`);
  };
  const show = () => {
    lists.forEach((list, index) => { list.hidden = index !== crop; });
    crops.forEach((button, index) => button.setAttribute("aria-pressed", index === crop));
    const buttons = [...lists[crop].querySelectorAll("button")];
    const named = (name) => buttons.find((button) => button.dataset.name === name);
    const other = named(shown) ?? buttons[0], ours = named(figure.dataset.right);
    for (const [picture, tag, button] of [[left, leftTag, other], [right, rightTag, ours]]) {
      const source = button.querySelector("img");
      picture.src = source.src;
      picture.alt = source.alt;
      picture.classList.toggle("pixels", source.classList.contains("pixels"));
      tag.textContent = button.dataset.words;
    }
    buttons.forEach((button) => button.setAttribute("aria-pressed", button === other));
    const shape = ours.querySelector("img");
    if (shape.naturalWidth) figure.style.setProperty("--shape", `${shape.naturalWidth} / ${shape.naturalHeight}`);
    move(range.value);
  };

  range.addEventListener("input", () => move(Number(range.value)));
  const follow = (event) => {
    const box = stage.getBoundingClientRect();
    move((100 * (event.clientX - box.left)) / box.width);
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    range.focus({ preventScroll: true, focusVisible: false });
    follow(event);
    event.preventDefault();
  });
  stage.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  for (const button of figure.querySelectorAll(".versions button")) {
    button.addEventListener("click", () => {
      // Ours against itself tells nothing: it gets the whole stage instead.
      if (button.dataset.name === figure.dataset.right) { move(0); return; }
      shown = button.dataset.name;
      show();
      if (Number(range.value) < 10) move(50);
    });
  }
  crops.forEach((button, index) => button.addEventListener("click", () => { crop = index; show(); }));
  show();
  addEventListener("load", show);
}
