"use strict";
// The page says everything without this script; it adds filters, a word on what is pointed at, and the viewer.
const $ = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Filters

for (const box of all(".filters")) box.hidden = false;

function filterVerdicts() {
  const measure = $("by-measure").value, kind = $("by-kind").value;
  for (const body of all(".verdicts tbody")) {
    let shown = 0;
    for (const row of all("tr[data-kind]", body)) {
      row.hidden = Boolean(kind) && row.dataset.kind !== kind;
      shown += row.hidden ? 0 : 1;
    }
    body.hidden = !shown || (Boolean(measure) && body.dataset.measure !== measure);
  }
}
for (const id of ["by-measure", "by-kind"]) $(id)?.addEventListener("change", filterVerdicts);

$("find")?.addEventListener("input", () => {
  const text = $("find").value.trim().toLowerCase();
  for (const row of all(".index tbody tr")) row.hidden = !row.textContent.toLowerCase().includes(text);
});

// What is pointed at

const says = $("says");
function tell(event) {
  const source = event.target.closest?.("[data-says]");
  says.hidden = !source;
  if (!source) return;
  says.textContent = source.dataset.says;
  const edge = 12, { width, height } = says.getBoundingClientRect();
  const below = event.clientY + 18, left = Math.min(event.clientX + 14, innerWidth - width - edge);
  says.style.left = `${Math.max(edge, left)}px`;
  says.style.top = `${below + height + edge > innerHeight ? event.clientY - height - 14 : below}px`;
}
addEventListener("pointermove", tell);
addEventListener("pointerdown", tell);
addEventListener("scroll", () => { says.hidden = true; }, true);

// Viewer: three pictures, one zoom, one spot

const pairs = JSON.parse($("data").textContent);
const viewer = $("viewer"), panes = all(".pane", viewer);
const view = { pair: 0, zoom: 1, x: 0.5, y: 0.5, grid: null }; // x, y: the spot in the middle, from 0 to 1 of the original
const clamp = (value) => Math.min(1, Math.max(0, value));

// Where a spot of the original is in the picture of a pane. The operator's has a grid of positions, where it is not
// just scaled: side * side times x, y as bytes, row by row.
function spotIn(k, x, y) {
  if (k < 2 || !view.grid) return [x, y];
  const side = Math.sqrt(view.grid.length / 2), u = x * (side - 1), v = y * (side - 1);
  const left = Math.min(side - 2, Math.floor(u)), top = Math.min(side - 2, Math.floor(v));
  const at = (column, row, axis) => view.grid.charCodeAt(2 * (row * side + column) + axis) / 255;
  const mixed = (axis) => {
    const a = u - left, b = v - top;
    const above = at(left, top, axis) * (1 - a) + at(left + 1, top, axis) * a;
    return above * (1 - b) + (at(left, top + 1, axis) * (1 - a) + at(left + 1, top + 1, axis) * a) * b;
  };
  return [mixed(0), mixed(1)];
}

// The spot of the original that is seen at a spot of a pane: the nearest of a fine grid, and a finer one around it.
function spotOf(k, x, y) {
  if (k < 2 || !view.grid) return [x, y];
  let best = [0.5, 0.5], reach = 0.5;
  for (let round = 0; round < 3; round++) {
    let nearest = Infinity, found = best;
    for (let i = -20; i <= 20; i++) for (let j = -20; j <= 20; j++) {
      const spot = [clamp(best[0] + (reach * i) / 20), clamp(best[1] + (reach * j) / 20)];
      const [a, b] = spotIn(k, ...spot), far = Math.hypot(a - x, b - y);
      if (far < nearest) [nearest, found] = [far, spot];
    }
    [best, reach] = [found, reach / 10];
  }
  return best;
}

function draw() {
  panes.forEach((pane, k) => {
    const image = pane.firstElementChild, w = image.naturalWidth, h = image.naturalHeight;
    if (!w) return;
    const scale = Math.min(pane.clientWidth / w, pane.clientHeight / h) * view.zoom, [x, y] = spotIn(k, view.x, view.y);
    const place = (room, length, at) => (length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, room / 2 - at * length)));
    const left = place(pane.clientWidth, w * scale, x), top = place(pane.clientHeight, h * scale, y);
    image.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
    image.style.imageRendering = scale * devicePixelRatio > 1.5 ? "pixelated" : "auto";
  });
}

function zoomTo(zoom) {
  view.zoom = Math.min(40, Math.max(1, zoom));
  draw();
}

function cellOf(row, tag, text) {
  const cell = row.appendChild(document.createElement(tag));
  cell.textContent = text;
}

function open(number) {
  const pair = pairs[number];
  Object.assign(view, { pair: number, zoom: 1, x: 0.5, y: 0.5, grid: pair.grid && atob(pair.grid) });
  $("v-name").textContent = pair.name;
  $("v-about").textContent = pair.about;
  const inside = all(`.shots a[data-pair="${number}"] img`); // of a shown case, should the folder be gone
  panes.forEach((pane, k) => {
    const image = pane.firstElementChild, caption = pane.previousElementSibling;
    const label = `${pair.titles[k]}: ${pair.tokens[k].toLocaleString("en")} tokens`;
    caption.textContent = image.alt = label;
    image.onload = () => {
      caption.textContent = `${label}, ${image.naturalWidth}×${image.naturalHeight}`;
      draw();
    };
    image.onerror = () => {
      image.onerror = null;
      if (inside[k]) image.src = inside[k].src;
      else caption.textContent = `${label}: the file is not there`;
    };
    image.src = pair.files[k];
  });
  const table = document.createElement("table"), heading = table.createTHead().insertRow(), body = table.createTBody();
  for (const text of ["", "plain resize", pair.titles[2], "difference"]) cellOf(heading, "th", text);
  for (const [measure, ...figures] of pair.scores) {
    const row = body.insertRow();
    cellOf(row, "th", measure);
    for (const text of figures) cellOf(row, "td", text);
  }
  $("v-scores").replaceChildren(...(pair.scores.length ? [table] : []));
  if (!viewer.open) viewer.showModal();
  draw();
}

function step(by) {
  open((view.pair + by + pairs.length) % pairs.length);
}

addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-pair]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  open(Number(link.dataset.pair));
});
addEventListener("resize", draw);
$("v-close").onclick = () => viewer.close();
$("v-previous").onclick = () => step(-1);
$("v-next").onclick = () => step(1);
$("v-in").onclick = () => zoomTo(view.zoom * 1.5);
$("v-out").onclick = () => zoomTo(view.zoom / 1.5);
$("v-fit").onclick = () => zoomTo(1);
viewer.addEventListener("keydown", (event) => {
  const action = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), "+": () => zoomTo(view.zoom * 1.5), "=": () => zoomTo(view.zoom * 1.5), "-": () => zoomTo(view.zoom / 1.5), 0: () => zoomTo(1) }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

const held = new Map(); // pointers that are down
panes.forEach((pane, k) => {
  const spotAt = (event) => {
    const box = pane.firstElementChild.getBoundingClientRect();
    return spotOf(k, clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height));
  };
  pane.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [x, y] = spotAt(event), before = view.zoom;
    view.zoom = Math.min(40, Math.max(1, before * Math.exp(-event.deltaY * 0.002)));
    const part = 1 - Math.min(1, before / view.zoom);
    view.x += (x - view.x) * part;
    view.y += (y - view.y) * part;
    draw();
  }, { passive: false });
  pane.addEventListener("pointerdown", (event) => {
    held.set(event.pointerId, event);
    pane.setPointerCapture(event.pointerId);
  });
  pane.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const other = [...held.values()].find((pointer) => pointer.pointerId !== event.pointerId);
    if (other) {
      const length = (pointer) => Math.hypot(pointer.clientX - other.clientX, pointer.clientY - other.clientY);
      zoomTo(view.zoom * (length(event) / (length(before) || 1)));
    } else {
      const box = pane.firstElementChild.getBoundingClientRect(), [x, y] = spotIn(k, view.x, view.y);
      const moved = [x - (event.clientX - before.clientX) / box.width, y - (event.clientY - before.clientY) / box.height];
      [view.x, view.y] = spotOf(k, ...moved.map(clamp));
      draw();
    }
    held.set(event.pointerId, event);
  });
  for (const end of ["pointerup", "pointercancel"]) pane.addEventListener(end, (event) => held.delete(event.pointerId));
  pane.addEventListener("dblclick", (event) => {
    if (view.zoom > 1) return zoomTo(1);
    [view.x, view.y] = spotAt(event);
    zoomTo(4);
  });
});

// Paper has no hinges: what is folded up is printed, too

const opened = [];
addEventListener("beforeprint", () => {
  for (const element of all("details:not([open])")) opened.push(element), (element.open = true);
});
addEventListener("afterprint", () => {
  for (const element of opened.splice(0)) element.open = false;
});
