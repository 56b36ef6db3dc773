/* The page of a PDF as a picture, with the quoted words boxed; beside the text, for who wants to see it as printed. */
import { html, nothing, svg } from "./vendor/lit-html/lit-html.js";
import { drawable, getBlob, getJson, Problem } from "./api.js";
import { say, update } from "./page.js";
import { tidy } from "./text.js";
import { words } from "./words.js";

const PDF = "application/pdf";
const WIDTHS = { fit: 1200, large: 2000 }; // pixels of the picture
const EDGE = 1; // points between the words and their frame
const MARGIN = 16; // pixels
const PATIENCE = 200; // milliseconds before it is said that something loads

const t = words({
  pages: ["原件页面", "Pages of the original"],
  before: ["上一页", "Previous page"],
  after: ["下一页", "Next page"],
  place: ["第 {page} 页", "Page {page}"],
  placeOf: ["第 {page} 页，共 {pages} 页", "Page {page} of {pages}"],
  larger: ["放大", "Zoom in"],
  fit: ["适合宽度", "Fit width"],
  back: ["回到引文所在页", "Back to the quote"],
  loading: ["正在画这一页……", "Drawing the page…"],
  finding: ["正在图上找所引的文字……", "Looking for the quoted words…"],
  failed: ["这一页的图没有取到。{message}", "The page could not be shown. {message}"],
  retry: ["重试", "Try again"],
  unplaced: ["在图上定不出所引文字的位置，请对照左近的文字原文查找。", "The quoted words can't be located on the picture. Please look for them by the text."],
  alt: ["《{title}》第 {page} 页的图", "Page {page} of {title}, as a picture"],
  altBoxed: ["《{title}》第 {page} 页的图，所引文字已框出", "Page {page} of {title}, as a picture; the quoted words are boxed"],
});

const state = {
  citation: null,
  version: "", // of the document: picture and frames are of this one, or there are none
  page: 1,
  size: null, // { pages, width, height } of the page that is shown, in points
  boxes: [],
  isPlaced: null, // the quoted words of this page are boxed, or it has none; null until it is known
  picture: "", // the address of the picture
  problem: null,
  isSlow: false,
  isLarge: false,
  running: null, // what stops the page that is coming
};

/** Whether a document, as the API lists it, has pages that can be shown as pictures. */
export function hasPictures(document) {
  return document?.media_type === PDF;
}

/** The page that a citation stands on. One without spans shows the document from its first page; `version` is its sha256. */
export function pictureView(citation, version) {
  if (!isSame(citation, state.citation) || version !== state.version) begin(citation, version);
  const { page, problem, isLarge } = state;
  const isBusy = !problem && !(state.picture && state.isPlaced !== null);
  const name = t("place", { page });
  return html`<section class="pictures" aria-label=${t("pages")}>
    ${tools()} ${finding()}
    <div class="sheet ${isLarge ? "large" : ""}" tabindex="0" role="group" aria-label=${name} aria-busy=${isBusy}>
      ${problem ? failure() : state.picture ? picture() : waiting()}
    </div>
  </section>`;
}

/** Let go of the picture, when nobody looks at it any more. */
export function closePictures() {
  state.running?.abort();
  forgetPicture();
  state.citation = null;
}

function tools() {
  const { page, size, isLarge } = state;
  const step = (name, to) => {
    const isEnd = to < 1 || (size !== null && to > size.pages);
    return html`<button class="button quiet small" aria-disabled=${isEnd} @click=${() => isEnd || turn(to)}>${t(name)}</button>`;
  };
  const zoom = () => {
    state.isLarge = !isLarge;
    load();
  };
  return html`<div class="row">
    ${step("before", page - 1)}
    <span class="place">${size ? t("placeOf", { page, pages: size.pages }) : t("place", { page })}</span>
    ${step("after", page + 1)}
    <button class="button quiet small" @click=${zoom}>${t(isLarge ? "fit" : "larger")}</button>
    ${isQuoted(page) ? nothing : html`<button class="link" @click=${() => turn(firstPage())}>${t("back")}</button>`}
  </div>`;
}

function finding() {
  if (state.problem || !isQuoted(state.page)) return nothing;
  if (state.isPlaced === false) return html`<p class="note" role="status">${t("unplaced")}</p>`;
  const isLate = state.isPlaced === null && state.picture && state.isSlow && placeOf(state.citation);
  return isLate ? html`<p class="note" role="status">${t("finding")}</p>` : nothing;
}

function picture() {
  const { page, size, boxes } = state;
  const title = tidy(state.citation.title ?? state.citation.document_id);
  const alt = t(boxes.length ? "altBoxed" : "alt", { title, page });
  return html`<div class="page">
    <img src=${state.picture} alt=${alt} @load=${showQuote} />
    ${boxes.length
      ? html`<svg viewBox="0 0 ${size.width} ${size.height}" preserveAspectRatio="none" aria-hidden="true">
          ${boxes.map(frame)}
        </svg>`
      : nothing}
  </div>`;
}

function frame([x, y, width, height]) {
  return svg`<rect x=${x - EDGE} y=${y - EDGE} width=${width + 2 * EDGE} height=${height + 2 * EDGE} />`;
}

function waiting() {
  return html`<div class="page blank">${state.isSlow ? html`<p class="note" role="status">${t("loading")}</p>` : nothing}</div>`;
}

function failure() {
  return html`<div class="error" role="alert">
    <p>${t("failed", { message: state.problem.message })}</p>
    <button class="button quiet" @click=${load}>${t("retry")}</button>
  </div>`;
}

/* ---- what is shown ------------------------------------------------------------------------------ */

function isSame(a, b) {
  return a?.document_id === b?.document_id && placeOf(a) === placeOf(b);
}

function placeOf(citation) {
  return (citation?.spans ?? []).map((span) => span.join("-")).join(",");
}

/** Eight digits of the quote's hash, as the citation's link has them: they show where the text has changed since. */
function hashOf(citation) {
  return new URLSearchParams((citation.url ?? "").split("#")[0].split("?")[1]).get("h") ?? "";
}

function firstPage() {
  return state.citation.pages?.[0] ?? 1;
}

function isQuoted(page) {
  const [first, last] = state.citation.pages ?? [page, page];
  return first <= page && page <= last;
}

function begin(citation, version) {
  const isOther = citation.document_id !== state.citation?.document_id;
  Object.assign(state, { citation, version });
  if (isOther) state.size = null;
  state.page = firstPage();
  forgetPicture();
  load();
}

function turn(page) {
  state.page = page;
  forgetPicture();
  load();
}

function forgetPicture() {
  if (state.picture) URL.revokeObjectURL(state.picture);
  Object.assign(state, { picture: "", boxes: [] });
}

/** Have the picture and the boxes, each shown when it is there: in a long document the boxes may take seconds. */
async function load() {
  state.running?.abort();
  const running = new AbortController();
  // Frames are of this time: the page may be another one by now.
  Object.assign(state, { running, problem: null, isPlaced: null, isSlow: false, boxes: [] });
  const slow = setTimeout(() => {
    state.isSlow = true;
    update();
  }, PATIENCE);
  update();
  const path = `v1/documents/${encodeURIComponent(state.citation.document_id)}/pages/${state.page}`;
  const query = new URLSearchParams({ at: placeOf(state.citation), h: hashOf(state.citation), sha256: state.version });
  const { signal } = running;
  const width = state.isLarge ? WIDTHS.large : WIDTHS.fit;
  const failed = (problem) => Object.assign(state, { problem });
  const unplaced = () => Object.assign(state, { isPlaced: false });
  await Promise.all([
    heard(running, getBlob(`${path}/image?${new URLSearchParams({ width, sha256: state.version })}`, { signal }), drawn, failed),
    heard(running, getJson(`${path}?${query}`, { signal }), boxed, unplaced),
  ]);
  clearTimeout(slow);
}

/** What comes is for the page that is still waited for; of another one it is let go. */
async function heard(running, coming, then, otherwise) {
  try {
    const found = await coming;
    if (running === state.running) drawable(found, then);
  } catch (error) {
    if (!(error instanceof Problem)) {
      if (error.name !== "AbortError") throw error;
    } else if (running === state.running) {
      otherwise(error);
    }
  }
  update();
}

function drawn(blob) {
  if (!blob.type.startsWith("image/")) throw new TypeError(blob.type); // a proxy's page
  if (state.picture) URL.revokeObjectURL(state.picture);
  state.picture = URL.createObjectURL(blob);
  say(t("place", { page: state.page }));
}

function boxed({ pages, width, height, boxes, is_exact: isPlaced }) {
  boxes.map(frame);
  Object.assign(state, { size: { pages, width, height }, boxes, isPlaced });
  requestAnimationFrame(showQuote);
}

/** Scroll to where the quoted words begin, so that most of them can be seen. */
function showQuote() {
  const sheet = document.querySelector(".pictures .sheet");
  const frames = [...(sheet?.querySelectorAll("rect") ?? [])].map((x) => x.getBoundingClientRect());
  if (!frames.length) return;
  const seen = sheet.getBoundingClientRect();
  sheet.scrollTop += frames[0].top - seen.top - seen.height / 3;
  sheet.scrollLeft += Math.min(...frames.map((x) => x.left)) - seen.left - MARGIN;
}
