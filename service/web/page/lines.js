/* Lines of a report, as the source panel shows them: numbered, headings as headings, the quoted words marked. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { codePoints, cut, shown, tidy } from "./text.js";
import { CHINESE, words } from "./words.js";

const t = words({ page: ["第 {n} 页", "Page {n}"] });
const DEEPEST = 6; // levels that HTML has

/** The lines of a piece `{ start, line, text }`, each with its line break, as an editor counts them. Offsets are code points. */
export function linesOf(piece) {
  const lines = [];
  let [from, start, number] = [0, piece.start, piece.line];
  for (const match of piece.text.matchAll(/\r\n|\n|\r|$/g)) {
    const to = match.index + match[0].length;
    if (to === from) continue;
    const text = piece.text.slice(from, to);
    const end = start + codePoints(text).length;
    lines.push({ start, end, number, text });
    [from, start, number] = [to, end, number + 1];
  }
  return lines;
}

/** A piece as drawn: `spans` are those to mark, `sections` the outline; its `pages` are `[number, where it begins]`. */
export function linesView(piece, spans, sections) {
  return linesOf(piece).map((line) => {
    const isIn = (offset) => line.start <= offset && offset < line.end;
    const begun = sections.filter((x) => isIn(x.span[0]));
    const turned = (piece.pages ?? []).filter(([, offset]) => isIn(offset));
    const marks = spans.filter(([start, end]) => start < line.end && line.start < end);
    return lineView(line, marks, begun, turned);
  });
}

function lineView(line, marks, begun, turned) {
  const printed = begun.find((x) => !x.restored && bare(line.text) === bare(x.path.at(-1)));
  const isBlank = line.text.trim() === "";
  const first = turned.find(([, offset]) => offset === line.start);
  const inner = turned.filter((x) => x !== first);
  return html`${first ? html`<div class="page-mark" data-page=${t("page", { n: first[0] })}></div>` : nothing}${begun
      .filter((x) => x.restored)
      .map((x) => html`<p class="restored" lang=${CHINESE} role="heading" aria-level=${depth(x)}>〔${tidy(x.path.at(-1))}〕</p>`)}
    <div class="line ${isBlank ? "blank" : ""}" lang=${CHINESE} data-start=${line.start} data-n=${isBlank ? nothing : line.number}
      role=${printed ? "heading" : nothing} aria-level=${printed ? depth(printed) : nothing}>${contents(line, marks, inner)}</div>`;
}

/** The text of the element is the line's own, character by character: numbers and page marks are attributes. */
function contents(line, marks, turned) {
  const parts = cut(line.text, line.start, turned.map(([, offset]) => [offset, offset]));
  return parts.map((part) => {
    const page = turned.find(([, offset]) => offset === part.start);
    const pieces = cut(part.text, part.start, marks).map((x) => (x.isMarked ? html`<mark>${read(x.text)}</mark>` : read(x.text)));
    return page ? [html`<span class="page-mark" data-page=${t("page", { n: page[0] })}></span>`, pieces] : pieces;
  });
}

/** Source text in which one sees where a table's cell ends. */
function read(text) {
  return text.split("\t").map((cell, n) => (n ? [html`<span class="tab">${"\t"}</span>`, shown(cell)] : shown(cell)));
}

function depth(section) {
  return Math.min(section.level + 2, DEEPEST);
}

/** A heading without what marks it as one. */
function bare(text) {
  return text.replace(/[#*\s]/g, "");
}

/** What the reader has selected within `element`, as `[start, end)` in code points of the document; null if nothing. */
export function selectedSpan(element) {
  const selection = document.getSelection();
  if (!element || selection.isCollapsed || !selection.rangeCount) return null;
  const range = selection.getRangeAt(0);
  const lines = [...element.querySelectorAll(".line")].filter((x) => range.intersectsNode(x));
  if (!lines.length) return null;
  const [first, last] = [lines[0], lines.at(-1)];
  const start = offsetIn(first, range.startContainer, range.startOffset) ?? Number(first.dataset.start);
  const end = offsetIn(last, range.endContainer, range.endOffset) ?? Number(last.dataset.start) + codePoints(last.textContent).length;
  return start < end ? [start, end] : null;
}

function offsetIn(line, node, offset) {
  if (!line.contains(node)) return null;
  const before = document.createRange();
  before.setStart(line, 0);
  before.setEnd(node, offset);
  return Number(line.dataset.start) + codePoints(before.toString()).length;
}
