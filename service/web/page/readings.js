/* What was understood of a question, as chips: each can be removed, and brought back. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { tidy } from "./text.js";
import { words } from "./words.js";

const t = words({
  readings: ["对问题的理解", "How the question was read"],
  understood: ["理解为：", "Read as:"],
  year: ["优先 {value} 年的报告", "reports of {value} first"],
  latest: ["优先最新（{value} 年）的报告", "latest reports ({value}) first"],
  target: ["“{surface}”是目标年份", "“{surface}” is a target year"],
  place: ["优先讲{value}的段落", "passages on {value} first"],
  name: ["“{surface}”当作“{value}”", "“{surface}” read as “{value}”"],
  filler: ["略去“{surface}”", "“{surface}” left out"],
  split: ["分开找：{value}", "searched one by one: {value}"],
  splitOff: ["分开找", "searched one by one"],
  remove: ["去掉：{text}", "Remove: {text}"],
  restore: ["恢复", "Restore"],
});

/** `toggle(id)` removes a reading, or brings it back; `known` are earlier readings by id, by which removed ones are called. */
export function readingChips({ readings, ignored, toggle, known = new Map(), isBusy = false }) {
  const off = ignored.filter((id) => !readings.some((x) => x.id === id));
  if (!readings.length && !off.length) return nothing;
  return html`<div class="row" role="group" aria-label=${t("readings")}>
    ${readings.length ? html`<span class="faint">${t("understood")}</span>` : nothing}
    ${readings.map((x) => chip(x.id, textOf(x), false, toggle, isBusy))} ${off.map((id) => chip(id, nameOf(id, known), true, toggle, isBusy))}
  </div>`;
}

function chip(id, text, isOff, toggle, isBusy) {
  const name = isOff ? `${t("restore")} ${text}` : t("remove", { text });
  return html`<span class="chip ${isOff ? "off" : ""}"><span>${text}</span>
    <button ?disabled=${isBusy} aria-label=${name} @click=${() => toggle(id)}>${isOff ? t("restore") : "×"}</button></span>`;
}

function textOf({ kind, surface, value }) {
  return t(kind, { surface: tidy(surface), value: tidy(value) });
}

/** What a removed reading was; where it isn't known any more its own words are. */
function nameOf(id, known) {
  if (known.has(id)) return textOf(known.get(id));
  return id === "split" ? t("splitOff") : tidy(id.slice(id.indexOf(":") + 1));
}
