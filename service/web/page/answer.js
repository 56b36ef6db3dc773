/* One question, what was understood of it, and its answer: or that the reports hold none. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { copyMenu } from "./copy.js";
import { citationNumber } from "./numbers.js";
import { openSource } from "./panel.js";
import { readingChips } from "./readings.js";
import { cut, tidy } from "./text.js";
import { words } from "./words.js";

const NEAREST = 3;
const BULLET = /^\s*[-•■»]\s*/;

const t = words({
  looking: ["正在查找…", "Looking…"],
  stopped: ["已停止。", "Stopped."],
  again: ["再问一次", "Ask again"],
  resolved: ["问的是：{text}", "Asked: {text}"],
  sure: ["把握 {n}%", "{n}% sure"],
  sources: ["出处", "Sources"],
  source: ["看原文", "Source"],
  none: ["所收报告中没有找到依据", "The reports don't say"],
  near: ["相近的段落（不是答案）", "Nearest passages (not an answer)"],
  passages: ["相关的段落", "Passages"],
  more: ["查看全部相关段落", "All passages on this"],
});

/** `turn` as `ask.js` has it; `removed(turn, id)` and `again(turn)` are what one can do with it. */
export function answerView(turn, { removed, again, isBusy }) {
  const { answer, problem } = turn;
  return html`<article class="turn" id="turn-${turn.id}" aria-busy=${!answer && !problem && !turn.isStopped}>
    <h2 class="asked">${turn.question}</h2>
    ${answer ? understood(turn, answer, removed, isBusy) : nothing}
    ${turn.notices?.map((x) => html`<p class="warning">${tidy(x)}</p>`)}
    ${answer ? answered(answer) : said(turn)}
    ${problem || turn.isStopped ? broken(turn, again, isBusy) : nothing}
  </article>`;
}

function said(turn) {
  if (turn.problem || turn.isStopped) return nothing; // half an answer is none
  if (!turn.said?.length) return html`<p class="faint looking">${t("looking")}</p>`;
  const known = new Map(turn.said.flatMap((x) => x.new_citations).map((x) => [x.number, x]));
  return html`<div class="sentences">${turn.said.map((x) => sentence(x, known))}</div>`;
}

function broken(turn, again, isBusy) {
  return html`<div class="row ${turn.problem ? "error" : "faint"}" role=${turn.problem ? "alert" : nothing}>
    <span>${turn.problem ? turn.problem.message : t("stopped")}</span>
    <button class="button quiet small" ?disabled=${isBusy} @click=${() => again(turn)}>${t("again")}</button>
  </div>`;
}

/* ---- what was understood ----------------------------------------------------------------------- */

function understood(turn, { question, resolved, readings }, removed, isBusy) {
  return html`${resolved === question ? nothing : html`<p class="faint">${t("resolved", { text: tidy(resolved) })}</p>`}
    ${readingChips({ readings, ignored: turn.ignored, toggle: (id) => removed(turn, id), isBusy })}`;
}

/* ---- the answer -------------------------------------------------------------------------------- */

function answered(answer) {
  if (answer.abstained) return abstained(answer);
  const known = new Map(answer.citations.map((x) => [x.number, x]));
  const isPassages = answer.mode === "passages";
  return html`${isPassages ? near(answer.hits, t("passages")) : html`<div class="sentences">${answer.sentences.map((x) => sentence(x, known))}</div>`}
    ${isPassages ? nothing : sources(answer.citations)}
    <p class="row faint"><span>${t("sure", { n: Math.round(answer.confidence * 100) })}</span> ${more(answer)}</p>`;
}

function abstained(answer) {
  return html`<div class="card abstained">
      <p><strong>${t("none")}</strong></p>
      <p>${tidy(answer.reason.message)}</p>
    </div>
    ${answer.hits.length ? near(answer.hits.slice(0, NEAREST), t("near")) : nothing}
    ${answer.hits.length ? html`<p>${more(answer)}</p>` : nothing}`;
}

function more(answer) {
  return html`<a href="#/search?${new URLSearchParams({ q: answer.resolved })}">${t("more")}</a>`;
}

/** The words that answer stand out; a bullet of the source is left out, as are its bold marks. */
function sentence(said, known) {
  const text = said.text.replace(BULLET, (mark) => " ".repeat(mark.length));
  return html`<p class="sentence">
    ${said.label ? html`<span class="side">${tidy(said.label)}</span>` : nothing}${cut(text, 0, said.marks).map((x) =>
      x.isMarked ? html`<b>${tidy(x.text)}</b>` : tidy(x.text),
    )}${said.citations.map((n) => (known.has(n) ? citationNumber(known.get(n)) : nothing))}
  </p>`;
}

function sources(citations) {
  return html`<section class="sources">
    <h3 class="faint">${t("sources")}</h3>
    <ol>
      ${citations.map(
        (x) => html`<li value=${x.number}>
          <span class="source"><button class="link" title=${t("source")} @click=${() => openSource(x)}>${tidy(x.label)}</button>${copyMenu(x)}</span>
        </li>`,
      )}
    </ol>
  </section>`;
}

function near(hits, title) {
  return html`<section class="near">
    <h3 class="faint">${title}</h3>
    <ul>
      ${hits.map(
        (hit) => html`<li class="card">
          <span class="source"><button class="link" title=${t("source")} @click=${() => openSource({ ...hit.citation, quote: hit.text })}>${tidy(hit.citation.label)}</button>${copyMenu(hit.citation)}</span>
          <p>${tidy(hit.text)}</p>
        </li>`,
      )}
    </ul>
  </section>`;
}
