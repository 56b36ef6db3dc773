/* The source beside the page: the text of a report about a quote, whose words are marked; of a PDF its pages, too. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { guard } from "./vendor/lit-html/directives/guard.js";
import { ref } from "./vendor/lit-html/directives/ref.js";
import { copyMenu } from "./copy.js";
import { currentKey } from "./key.js";
import { linesView, selectedSpan } from "./lines.js";
import { close, extend, openDocument, openSource, showText, state, turn, visitPlace } from "./opened.js";
import { outlineView, sectionAt } from "./outline.js";
import { update } from "./page.js";
import { textAt, trimmed } from "./pieces.js";
import { textBox } from "./seen.js";
import { tidy } from "./text.js";
import { CHINESE, language, words } from "./words.js";

export { close, openDocument, openSource };

const t = words({
  source: ["原文", "Source"],
  close: ["关闭", "Close"],
  year: ["{n}年", "{n}"],
  loading: ["正在打开原文…", "Opening the source…"],
  again: ["重试", "Try again"],
  removed: ["这份资料已被移除，打不开了。", "This document was removed and can't be opened."],
  replaced: ["这份资料刚刚更新过，请重新打开。", "This document was just replaced. Please open it again."],
  empty: ["这份资料没有文字。", "This document has no text."],
  changed: ["这份报告在引用之后有过改动：原来的位置上已不是所引的文字，所以没有标出。", "The report has changed since it was quoted: other words stand in this place now, so none are marked."],
  then: ["看引用时的原文", "See it as it was"],
  window: ["新窗口", "New window"],
  views: ["显示为", "Show as"],
  text: ["文字", "Text"],
  picture: ["页面图", "Page image"],
  quote: ["回到引文", "To the quote"],
  previous: ["上一节", "Previous"],
  next: ["下一节", "Next"],
  before: ["前文", "Earlier text"],
  after: ["后文", "Later text"],
  chosen: ["已选 {n} 字", "{n} characters selected"],
  cite: ["引用所选", "Cite selection"],
});

const KNOWN = { 404: "removed", 422: "replaced" };

export function isOpen() {
  return state.isOpen;
}

export function view() {
  if (!state.isOpen) return nothing;
  const { document: known } = state;
  return html`<aside class="panel" aria-labelledby="panel-title">
    <header>
      <h2 id="panel-title" tabindex="-1" lang=${known ? CHINESE : nothing}>${known ? `《${tidy(known.title)}》` : t("source")}</h2>
      <span>
        ${state.citation || !currentKey() ? html`<a class="tool" href=${addressOf(state)} target="_blank" rel="noopener">${t("window")}</a>` : nothing}
        <button class="tool" @click=${close}>${t("close")}</button>
      </span>
      ${known ? html`<p class="faint" lang=${CHINESE}>${particulars(known)}</p>` : nothing}
    </header>
    ${state.citation ? cited(state.citation) : nothing} ${known ? controls(known) : nothing}
    ${state.isSlow ? html`<p class="faint">${t("loading")}</p>` : nothing} ${state.problem ? trouble(state.problem) : nothing}
    ${known && state.isPicture ? picture() : nothing} ${state.piece && !state.isPicture ? contents(state.piece) : nothing}
    ${state.chosen ? selection(state.chosen) : nothing}
  </aside>`;
}

/** A citation's own link is signed where keys are needed; a document as a whole has none that a new window could open. */
function addressOf({ citation, id }) {
  return citation?.url ?? `d/${encodeURIComponent(id)}`;
}

function particulars({ year, series, issuer }) {
  return [t("year", { n: year }), series, issuer].filter(Boolean).map(tidy).join(" · ");
}

function cited(citation) {
  return html`<div class="cited">
    <p lang=${CHINESE}>${tidy(citation.label)}</p>
    ${copyMenu(citation)}
    ${state.isChanged
      ? html`<p class="warning" role="alert">${t("changed")} <a href=${addressOf(state)} target="_blank" rel="noopener">${t("then")}</a></p>`
      : nothing}
  </div>`;
}

function controls(known) {
  const { sections, citation } = state;
  const turned = (way) => html`<button class="button quiet small" @click=${() => turn(way)}>${t(way)}</button>`;
  return html`<div class="controls">
    ${outlineView({
      sections,
      current: sectionAt(sections, state.at),
      isShown: state.isOutlined,
      toggled: (isShown) => {
        state.isOutlined = isShown;
        update();
      },
      chosen: (section) => {
        state.isOutlined = false;
        visitPlace(section.span[0]);
      },
    })}
    ${sections.length ? [turned("previous"), turned("next")] : nothing}
    ${citation ? html`<button class="button quiet small" @click=${() => showText(citation.spans[0][0])}>${t("quote")}</button>` : nothing}
    ${state.pictures?.hasPictures(known) ? switches() : nothing}
  </div>`;
}

function switches() {
  const pictured = () => {
    state.isPicture = true;
    update();
  };
  return html`<span class="switch" role="group" aria-label=${t("views")}>
    <button aria-pressed=${!state.isPicture} @click=${() => showText()}>${t("text")}</button
    ><button aria-pressed=${state.isPicture} @click=${pictured}>${t("picture")}</button>
  </span>`;
}

function picture() {
  const { citation, document: known, pictures } = state;
  return html`<div class="source-picture">${pictures.pictureView(citation ?? { document_id: known.id, title: known.title, spans: [] }, known.sha256)}</div>`;
}

function trouble(problem) {
  return html`<div class="error row" role="alert">
    <span>${problem.status in KNOWN ? t(KNOWN[problem.status]) : problem.message}</span>
    <button class="button quiet small" @click=${() => state.retry()}>${t("again")}</button>
  </div>`;
}

function contents(piece) {
  const { characters } = state.document;
  if (!characters) return html`<p class="faint">${t("empty")}</p>`;
  const more = (name) =>
    html`<button class="button quiet small more" value=${name} @click=${() => extend(name === "before")} ${ref(watched)}>${t(name)}</button>`;
  return html`<div class="source-text" tabindex="0" role="region" aria-label=${t("source")}>
    ${piece.start > 0 ? more("before") : nothing}
    ${guard([piece, state.marks, state.sections, language()], () => linesView(piece, state.marks, state.sections))}
    ${piece.end < characters ? more("after") : nothing}
  </div>`;
}

function selection(span) {
  const quote = textAt(state.piece, [span]);
  return html`<div class="chosen row" role="status">
    <span>${t("chosen", { n: span[1] - span[0] })}</span> ${copyMenu({ document_id: state.id, spans: [span], quote }, t("cite"))}
  </div>`;
}

/* ---- what the reader does in it ---------------------------------------------------------------- */

// What one scrolls to is fetched; the buttons are for the keyboard.
const watch = new IntersectionObserver((seen) => {
  for (const x of seen) if (x.isIntersecting) extend(x.target.value === "before");
});

function watched(button) {
  if (button) watch.observe(button);
}

document.addEventListener("selectionchange", () => {
  const box = textBox();
  const span = selectedSpan(box);
  // What was selected stays so while one goes to its button.
  if (!span && !box?.contains(document.getSelection().anchorNode)) return;
  state.chosen = span && trimmed(state.piece, span);
  update();
});

window.addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Escape" || !state.isOpen) return;
    if (!document.querySelector("dialog[open], :popover-open, #preview")) close();
  },
  true, // before others hear of it: what lies upon the panel is closed first
);
