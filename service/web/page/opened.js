/* What is open in the source panel: a report's text, a piece at a time, about the quote or the place one came for.

A wrong citation can't be shown: what would be marked is compared with the quote, in the text and again once drawn. */
import { drawable, getJson, Problem } from "./api.js";
import { formsOf } from "./copy.js";
import { beginsAbout, nameOf, sectionAt } from "./outline.js";
import { say, update } from "./page.js";
import { joined, pieceOf, quotedWithin, textAt } from "./pieces.js";
import { held, lookedAt, scrollTo, textBox } from "./seen.js";
import { tidy } from "./text.js";
import { words } from "./words.js";

const ABOUT = 2000; // code points before and behind what is looked at
const MORE = 4000;
const MOST = 200_000; // beyond, one begins anew
const SLOW = 200; // milliseconds
const SHEET = matchMedia("(max-width: 61.99rem)"); // there the panel covers the page

const t = words({
  opened: ["已打开原文：{name}", "Opened: {name}"],
  at: ["转到：{name}", "At: {name}"],
});

const CLOSED = {
  isOpen: false,
  id: "",
  citation: null, // what is quoted; null where a document is read
  quote: "",
  marks: [], // its spans; none where other words stand there now
  isChanged: false,
  document: null,
  sections: [],
  piece: null, // of the text, that is shown
  at: 0, // what is looked at
  chosen: null, // the span that the reader has selected
  isPicture: false,
  isOutlined: false,
  isBusy: false,
  isSlow: false,
  problem: null,
  retry: null,
};
export const state = { ...CLOSED, pictures: null }; // the module of page images, once a PDF was opened
let visit = 0; // what was opened, counted: what comes for an earlier one is dropped
let opener = null; // where the focus goes back to

/** Open the source of a citation, as the API has it, with its `quote`. */
export function openSource(citation) {
  open({ id: citation.document_id, citation, at: citation.spans[0][0] });
}

/** Open a document to read, at an offset in code points. */
export function openDocument(id, offset = 0) {
  open({ id, at: offset });
}

export function close() {
  if (!state.isOpen) return;
  visit += 1;
  Object.assign(state, CLOSED);
  state.pictures?.closePictures();
  afterwards(() => (opener?.isConnected ? opener : document.getElementById("main")).focus());
}

function open(what) {
  if (!state.isOpen) opener = document.activeElement;
  visit += 1;
  Object.assign(state, CLOSED, { isOpen: true, ...what });
  afterwards(() => document.getElementById("panel-title")?.focus());
  begin();
}

function begin() {
  work(begin, async () => {
    const path = `v1/documents/${encodeURIComponent(state.id)}?passages=false`;
    const [answer, quote] = await Promise.all([getJson(path), quoteOf(state.citation)]);
    const outline = drawable(answer, ({ document: known, sections }) => [known.id.length, tidy(known.title), sections.map(nameOf)]);
    return () => {
      const { document: known, sections } = outline;
      Object.assign(state, { document: known, sections, quote, marks: state.citation?.spans ?? [] });
      if (state.marks.length && state.marks.at(-1)[1] > known.characters) deny();
      if (known.media_type === "application/pdf") fetchPictures();
      say(t("opened", { name: tidy(known.title) }));
      look(Math.min(state.at, known.characters));
    };
  });
}

function anew() {
  Object.assign(state, { piece: null, isChanged: false });
  begin();
}

async function quoteOf(citation) {
  if (!citation) return "";
  return citation.quote ?? citation.text ?? (await formsOf(citation)).quote ?? "";
}

async function fetchPictures() {
  state.pictures ??= await import("./pictures.js").catch(() => null);
  update();
}

/* ---- the text, a piece at a time --------------------------------------------------------------- */

/** `job` fetches, and gives what to do then; `again` is what a retry does. */
async function work(again, job) {
  const own = visit;
  Object.assign(state, { isBusy: true, problem: null });
  const timer = setTimeout(() => {
    if (own === visit) state.isSlow = state.isBusy;
    update();
  }, SLOW);
  update();
  try {
    const done = await job();
    if (own !== visit) return;
    Object.assign(state, { isBusy: false, isSlow: false });
    done();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    // Places that the text doesn't have: it was replaced since it was opened.
    const retry = problem.status === 422 ? anew : again;
    if (own === visit) Object.assign(state, { isBusy: false, isSlow: false, problem, retry });
  } finally {
    clearTimeout(timer);
    update();
  }
}

/** The text about an offset: of what is here already, or fetched. */
export function look(offset) {
  state.at = offset;
  const { piece, marks } = state;
  const isQuote = marks.length > 0 && offset === marks[0][0];
  const end = isQuote ? marks.at(-1)[1] : offset;
  const scrolled = () => scrollTo(offset, isQuote);
  if (piece && piece.start <= offset && offset < piece.end && end <= piece.end) return draw(piece, scrolled);
  work(
    () => look(offset),
    async () => {
      const found = await pieceOf(state.document, offset - ABOUT, end + ABOUT, offset, end);
      return () => draw(found, scrolled);
    },
  );
}

/** More of the text, before what is shown or behind it. */
export function extend(isBefore) {
  const { piece } = state;
  if (state.isBusy || !piece) return;
  if (piece.end - piece.start > MOST) return look(isBefore ? piece.start - 1 : piece.end);
  work(
    () => extend(isBefore),
    async () => {
      const { start, end } = piece;
      const more = isBefore
        ? await pieceOf(state.document, start - MORE, start, start - 1, start)
        : await pieceOf(state.document, end, end + MORE, end, end + 1);
      return () => draw(isBefore ? joined(more, piece) : joined(piece, more), held());
    },
  );
}

/** Draw a piece, with a look before and behind whether what is marked is the quote; then scroll. */
function draw(piece, scrolled) {
  state.piece = piece;
  const expected = quotedWithin(piece, state.marks, state.quote);
  if (textAt(piece, state.marks) !== expected) deny();
  afterwards(() => {
    const marked = [...(textBox()?.querySelectorAll("mark") ?? [])].map((x) => x.textContent).join("");
    if (textBox() && state.marks.length && marked !== expected.replaceAll("\0", "\ufffd")) deny();
    scrolled();
    if (document.activeElement === document.body) textBox()?.focus({ preventScroll: true }); // what had it is gone
  });
}

function deny() {
  Object.assign(state, { marks: [], isChanged: true });
  update();
}

/* ---- going about ------------------------------------------------------------------------------- */

/** To the section before or behind what is looked at, else to that end of the text: `way` is `previous` or `next`. */
export function turn(way) {
  const { sections, document: known } = state;
  const end = way === "previous" ? 0 : known.characters - 1;
  visitPlace(beginsAbout(sections, lookedAt(state.at))[way] ?? end);
}

export function visitPlace(offset) {
  const section = sectionAt(state.sections, offset);
  if (section) say(t("at", { name: nameOf(section) }));
  showText(offset);
}

export function showText(offset = state.at) {
  state.isPicture = false;
  afterwards(() => look(offset));
}

/** Once the page is drawn. */
function afterwards(job) {
  update();
  queueMicrotask(() => {
    cover();
    job();
  });
}

/** What the panel covers can't be reached. */
function cover() {
  for (const x of document.querySelectorAll(".head, #main")) x.inert = state.isOpen && SHEET.matches;
}

SHEET.addEventListener("change", cover);
