/* Where we are, and how the page is drawn: a view changes its state, calls `update()`, and all is rendered anew. */

let draw = () => {};
let isWaiting = false;
const bells = { toast: "", timer: 0 };

/** `main.js` says how the page is drawn. */
export function drawWith(work) {
  draw = work;
}

/** Draw the page at the end of this turn, however often it is asked for. */
export function update() {
  if (isWaiting) return;
  isWaiting = true;
  queueMicrotask(() => {
    isWaiting = false;
    draw();
  });
}

/** The place that the address names: `#/search?q=科普` is `{name: "search", query: URLSearchParams}`. */
export function place() {
  const [path, ...query] = location.hash.replace(/^#\/?/, "").split("?");
  return { name: path, query: new URLSearchParams(query.join("?")) };
}

/** Go to a place; `isSame` replaces the present one, so that Back does not stop there. */
export function go(hash, isSame = false) {
  if (hash === location.hash) return;
  if (!isSame) {
    location.hash = hash;
    return;
  }
  history.replaceState(null, "", hash);
  update();
}

/** Tell those who listen to the page instead of seeing it. */
export function say(text) {
  const region = document.getElementById("live");
  region.textContent = "";
  setTimeout(() => (region.textContent = text), 50); // the same words twice are heard twice
}

/** A short word that goes away by itself. */
export function toast(text) {
  clearTimeout(bells.timer);
  bells.toast = text;
  bells.timer = setTimeout(() => {
    bells.toast = "";
    update();
  }, 4000);
  say(text);
  update();
}

export function toasted() {
  return bells.toast;
}
