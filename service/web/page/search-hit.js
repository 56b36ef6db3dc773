/* A passage that was found: its words as they are in the source, and why it was found. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { copyMenu } from "./copy.js";
import { openSource } from "./panel.js";
import { codePoints, shown, tidy } from "./text.js";
import { CHINESE, words } from "./words.js";

const SMALL = 0.02; // a word of a smaller share of the question, 的 say, is no reason
const MOST_WORDS = 8;
const MOST_MEANINGS = 4;
const ARMS = ["dense", "lexical", "expansion"];
const t = words({
  rank: ["第 {n} 段", "Passage {n}"],
  source: ["看原文", "Source"],
  sourceOf: ["看原文：{label}", "Source: {label}"],
  table: ["表格", "Table"],
  why: ["为何找到", "Why it was found"],
  same: ["字词", "Same words"],
  alike: ["意思", "Similar meaning"],
  heading: ["（标题中）", " (heading)"],
  comma: ["、", ", "],
  asked: ["扩展问法（非原文）：", "A way to ask for it (not source text): "],
  arms: ["各路检索对上问题的几成", "How much of the question each way of searching sees"],
  dense: ["按意思", "By meaning"],
  lexical: ["按字词", "By words"],
  expansion: ["扩展问法加分", "Other ways to ask"],
  score: ["得分", "Score"],
});

/** `hit` as the API has it, with `why`. */
export function hitView(hit) {
  const { citation } = hit;
  const label = tidy(citation.label);
  return html`<li class="card hit">
    <div class="hit-head">
      <h3 lang=${CHINESE}><span class="rank" aria-label=${t("rank", { n: hit.rank })}>${hit.rank}</span> ${label}</h3>
      <div class="row">
        <button class="button quiet small" aria-label=${t("sourceOf", { label })} @click=${() => openSource({ ...citation, quote: hit.text })}>${t("source")}</button>
        ${copyMenu(citation)}
      </div>
    </div>
    <div class="passage" lang=${CHINESE}>${hit.kind === "table" ? tableView(piecesOf(hit)) : html`<p>${piecesOf(hit).map(pieceView)}</p>`}</div>
    ${whyView(hit)} ${armsView(hit)}
  </li>`;
}

/* ---- the text ---------------------------------------------------------------------------------- */

/** The passage without its bold marks, in pieces: `isMarked` answers best, `kind` is a word of the question or one like it. */
function piecesOf({ text, citation, highlights, why }) {
  const characters = codePoints(text);
  const offsets = citation.spans.flatMap(([start, end]) => range(start, end));
  const marked = within(highlights);
  const same = within(sameWords(why).flatMap((x) => x.spans));
  const alike = within(alikeWords(why).flatMap((x) => x.spans));
  const pieces = [];
  for (let n = 0; n < characters.length; n++) {
    if (characters[n] === "*" && characters[n + 1] === "*") {
      n++;
      continue;
    }
    const at = offsets[n];
    const isMarked = marked.has(at);
    const kind = same.has(at) ? "same" : alike.has(at) ? "alike" : "";
    const last = pieces.at(-1);
    if (last && last.isMarked === isMarked && last.kind === kind) last.text += characters[n];
    else pieces.push({ text: characters[n], isMarked, kind });
  }
  return pieces;
}

function range(start, end) {
  return Array.from({ length: end - start }, (_, n) => start + n);
}

function within(spans) {
  return new Set(spans.flatMap(([start, end]) => range(start, end)));
}

function pieceView({ text, isMarked, kind }) {
  const worded = kind ? html`<u class=${kind}>${shown(text)}</u>` : shown(text);
  return isMarked ? html`<mark>${worded}</mark>` : worded;
}

/** Lines with tabs are rows; what stands before and behind them introduces the table. */
function tableView(pieces) {
  const lines = split(pieces, "\n").map((line) => split(line, "\t"));
  const width = Math.max(...lines.map((cells) => cells.length));
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${t("table")}><table class="table">
    ${lines.map((cells) =>
      cells.length === 1
        ? html`<tr><td colspan=${width}>${cells[0].map(pieceView)}</td></tr>`
        : html`<tr>${cells.map((cell) => html`<td>${cell.map(pieceView)}</td>`)}</tr>`,
    )}
  </table></div>`;
}

/** Pieces parted at a character; empty lines are left out, empty cells are not. */
function split(pieces, mark) {
  const parts = [[]];
  for (const piece of pieces) {
    piece.text.split(mark).forEach((text, n) => {
      if (n) parts.push([]);
      if (text) parts.at(-1).push({ ...piece, text });
    });
  }
  return mark === "\n" ? parts.filter((part) => part.some((piece) => piece.text.trim())) : parts;
}

/* ---- why --------------------------------------------------------------------------------------- */

/** Words of the question that are here. Where one searches by meaning alone, they are those nearest to themselves. */
function sameWords(why) {
  const found = why?.words.filter((x) => x.where !== "expansion") ?? [];
  const alone = why?.meanings.filter((x) => x.asked === x.found).map((x) => ({ ...x, text: x.asked })) ?? [];
  return [...found, ...alone].filter((x) => x.weight >= SMALL).slice(0, MOST_WORDS);
}

function alikeWords(why) {
  return (why?.meanings.filter((x) => x.asked !== x.found) ?? []).slice(0, MOST_MEANINGS);
}

function whyView({ why, expansion }) {
  const same = sameWords(why);
  const alike = alikeWords(why);
  if (!same.length && !alike.length && !expansion) return nothing;
  return html`<div class="why">
    <h4>${t("why")}</h4>
    ${same.length ? html`<p><span class="faint">${t("same")}</span> ${listed(same, (x) => html`<u class="same" lang=${CHINESE}>${tidy(x.text)}</u>`)}</p>` : nothing}
    ${alike.length
      ? html`<p><span class="faint">${t("alike")}</span> ${listed(alike, (x) => html`<span lang=${CHINESE}>${tidy(x.asked)} ≈ <u class="alike">${tidy(x.found)}</u></span>`)}</p>`
      : nothing}
    ${expansion ? html`<p><span class="faint">${t("asked")}</span><span lang=${CHINESE}>${tidy(expansion.text)}</span></p>` : nothing}
  </div>`;
}

function listed(found, view) {
  return found.map(
    (x, n) => html`${n ? t("comma") : nothing}${view(x)}${x.where === "heading" ? html`<span class="faint">${t("heading")}</span>` : nothing}`,
  );
}

/* ---- how much ---------------------------------------------------------------------------------- */

function armsView({ signals, score }) {
  return html`<dl class="arms" aria-label=${t("arms")}>
    ${ARMS.filter((arm) => arm in signals).map(
      (arm) => html`<div>
        <dt>${t(arm)}</dt>
        <dd>${bar(signals[arm])} ${arm === "expansion" ? `+${signals[arm].toFixed(2)}` : `${Math.round(signals[arm] * 100)}%`}</dd>
      </div>`,
    )}
    <div><dt>${t("score")}</dt><dd>${score.toFixed(2)}</dd></div>
  </dl>`;
}

function bar(share) {
  return html`<svg class="bar" viewBox="0 0 48 6" aria-hidden="true">
    <rect class="whole" width="48" height="6" rx="3" />
    <rect class="part" width=${(48 * Math.min(share, 1)).toFixed(1)} height="6" rx="3" />
  </svg>`;
}
