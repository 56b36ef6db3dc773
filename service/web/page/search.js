/* Search: ranked passages, narrowed by year, series and report, each with why it was found. All of it is in the address. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { guard } from "./vendor/lit-html/directives/guard.js";
import { live } from "./vendor/lit-html/directives/live.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { drawable, postJson } from "./api.js";
import { fetching, IDLE, stop } from "./fetching.js";
import { library, load } from "./library.js";
import { go, say, update } from "./page.js";
import { readingChips } from "./readings.js";
import { hitView } from "./search-hit.js";
import { codePoints, tidy } from "./text.js";
import { CHINESE, language, words } from "./words.js";

const STEP = 10;
const MOST = 100; // the service gives no more
const LONGEST = 2000;
const FIRST_YEAR = 0;
const LAST_YEAR = 9999;
const YEAR = /^\d{0,4}$/;
const MODES = ["hybrid", "dense", "lexical"];
const FILTERS = ["from", "to", "series", "document"];
const EXAMPLES = ["科普活动 老百姓", "先投后股", "徐汇和长宁有哪些大学", "搞药的公司有几家"];

const t = words({
  title: ["检索原文", "Search the reports"],
  lead: [
    "写关键词，或一句问话：按相关程度列出各报告的段落，并说明每段为何找到。",
    "Keywords or a question: the passages of all reports, the best first, and why each was found.",
  ],
  query: ["要找什么", "Search for"],
  hint: ["如 科普活动、先投后股", "e.g. 科普活动, 先投后股"],
  go: ["检索", "Search"],
  from: ["年份自", "Years from"],
  to: ["至", "to"],
  series: ["系列", "Series"],
  document: ["报告", "Report"],
  any: ["不限", "Any"],
  report: ["{year}　{title}", "{year}　{title}"],
  mode: ["怎样找", "How to search"],
  hybrid: ["综合", "Both"],
  dense: ["按意思", "By meaning"],
  lexical: ["按字词", "By words"],
  loading: ["正在检索…", "Searching…"],
  found: ["找到 {n} 段", "{n} passages"],
  more: ["再看 {n} 段", "{n} more"],
  all: ["就这些了。", "That's all."],
  none: ["没有找到相关的段落。", "No passage was found."],
  noneTry: ["换一种说法试试。", "Try other words."],
  noneFilters: ["可能是限制太窄了。", "The filters may be too narrow."],
  drop: ["不限年份与报告，再找一次", "Search without filters"],
  whole: ["改用“综合”再找一次", "Search by both"],
  retry: ["重试", "Try again"],
  noChoices: ["年份与报告的清单没有取到：{why}", "The list of reports could not be had: {why}"],
  tooLong: ["要找的有 {n} 字，至多 2000 字。请缩短后再找。", "That is {n} characters; 2000 is the most."],
  examples: ["可以这样找", "For example"],
});

const state = {
  form: formOf(new URLSearchParams()),
  asked: null, // the address that the result, or what is coming, is for
  question: "", // what was searched last
  result: null,
  ...IDLE,
  readings: new Map(), // what was understood, by id: a removed one is still called by its name
};

/* ---- the address: q, from, to, series, document, mode, ignore (as often as needed), k ----------- */

function formOf(query) {
  const form = { q: "", from: "", to: "", series: "", document: "", mode: "hybrid" };
  for (const name of Object.keys(form)) form[name] = query.get(name) ?? form[name];
  if (!MODES.includes(form.mode)) form.mode = MODES[0];
  for (const name of ["from", "to"]) if (!YEAR.test(form[name])) form[name] = "";
  return { ...form, ignore: query.getAll("ignore"), k: Math.min(Math.max(Number.parseInt(query.get("k"), 10) || STEP, 1), MOST) };
}

function addressOf({ q, mode, ignore, k, ...filters }) {
  const query = new URLSearchParams({ q: q.trim() });
  for (const name of FILTERS) if (filters[name]) query.set(name, filters[name]);
  if (mode !== "hybrid") query.set("mode", mode);
  for (const id of ignore) query.append("ignore", id);
  if (k !== STEP) query.set("k", k);
  return `#/search?${query}`;
}

function bodyOf({ q, from, to, series, document, mode, ignore, k }) {
  const filters = {
    ...((from || to) && { years: [Number(from || FIRST_YEAR), Number(to || LAST_YEAR)] }),
    ...(series && { series }),
    ...(document && { document_ids: [document] }),
  };
  return { query: q, top_k: k, mode, ignore, explain: true, ...(Object.keys(filters).length && { filters }) };
}

/* ---- what happens ------------------------------------------------------------------------------ */

export function arrive(query) {
  load();
  if (state.asked === String(query)) return;
  state.asked = String(query);
  state.form = formOf(query);
  search();
}

/** Search for what the form says; `more` are changes to it. What was removed from a question is removed from that alone. */
function sent(more = {}) {
  const form = { ...state.form, k: STEP, ...more };
  const question = form.q.trim();
  const count = codePoints(question).length;
  state.form = { ...form, ignore: state.question === question ? form.ignore : [] };
  if (!count || count > LONGEST) {
    state.problem = count ? { status: 422, message: t("tooLong", { n: count }) } : null;
    document.getElementById("search-q").focus();
    return update();
  }
  const address = addressOf(state.form);
  if (state.asked === address.split("?")[1]) search();
  else go(address);
}

function typed(q) {
  state.form = { ...state.form, q };
  update();
}

/** A filter counts at once where something is searched. A year from which on there is none until which is that one year. */
function narrowed(name, value) {
  const more = { [name]: value };
  const { from, to } = { ...state.form, ...more };
  if (from && to && Number(from) > Number(to)) more[name === "from" ? "to" : "from"] = value;
  if (state.form.q.trim()) return sent(more);
  state.form = { ...state.form, ...more };
  update();
}

function unfiltered() {
  sent({ from: "", to: "", series: "", document: "" });
}

function removed(id) {
  const { ignore } = state.form;
  sent({ q: state.question, ignore: ignore.includes(id) ? ignore.filter((x) => x !== id) : [...ignore, id] });
}

/** More passages of the same search take its place in the history: Back leads to what was before it. */
function more() {
  state.form = { ...state.form, q: state.question, k: Math.min(state.form.k + STEP, MOST) };
  const address = addressOf(state.form);
  state.asked = address.split("?")[1];
  go(address, true);
  search();
}

/** What is shown stays until its successor is there, where that is about the same question. */
async function search() {
  const { form } = state;
  const question = form.q.trim();
  stop(state);
  if (state.question !== question) Object.assign(state, { question, result: null, readings: new Map() });
  if (!question) return;
  const get = async (signal) => {
    const answer = await postJson("v1/search", bodyOf(form), { signal });
    return drawable(answer, (x) => [understood(x), x.hits.map(hitView)]);
  };
  await fetching(state, get, (result) => {
    state.result = result;
    for (const reading of result.readings) state.readings.set(reading.id, reading);
    say(result.hits.length ? t("found", { n: result.hits.length }) : t("none"));
  });
}

/* ---- the view ---------------------------------------------------------------------------------- */

export function view() {
  const { result, problem, running, isLate } = state;
  return html`<h1>${t("title")}</h1>
    ${state.question ? nothing : html`<p class="faint search-lead">${t("lead")}</p>`}
    ${formView()}
    <div class="search-result" aria-busy=${running !== null}>
      ${running && isLate ? html`<p class="faint" role="status">${t("loading")}</p>` : nothing}
      ${problem ? broken(problem) : result ? found(result) : nothing}
      ${result || problem || running ? nothing : examples()}
    </div>`;
}

function formView() {
  const submitted = (event) => {
    event.preventDefault();
    sent();
  };
  return html`<form class="search-form" role="search" @submit=${submitted}>
    <div class="search-box">
      <label class="visually-hidden" for="search-q">${t("query")}</label>
      <input id="search-q" class="field" type="search" enterkeyhint="search" autocomplete="off" placeholder=${t("hint")}
        .value=${live(state.form.q)} @input=${(event) => typed(event.target.value)} />
      <button class="button">${t("go")}</button>
    </div>
    <div class="search-filters">${filtersView()} ${modesView()}</div>
    ${library.problem && !library.documents ? html`<p class="note">${t("noChoices", { why: library.problem.message })}</p>` : nothing}
  </form>`;
}

function filtersView() {
  const known = library.documents ?? [];
  const years = [...new Set(known.map((x) => String(x.year)))].sort().map((x) => [x, x]);
  const series = [...new Set(known.map((x) => x.series))].map((x) => [x, tidy(x)]);
  const reports = known.map((x) => [x.id, t("report", { year: x.year, title: tidy(x.title) })]);
  return html`${choice("from", years)} ${choice("to", years)} ${choice("series", series)} ${choice("document", reports)}`;
}

/** A filter that is set is shown, though the list of what there is should lack it or be on its way. */
function choice(name, options) {
  const value = state.form[name];
  const all = !value || options.some(([x]) => x === value) ? options : [...options, [value, tidy(value)]];
  return html`<label class="stacked ${name}">${t(name)}
    <select class="field" .value=${live(value)} @change=${(event) => narrowed(name, event.target.value)}>
      <option value="" ?selected=${!value}>${t("any")}</option>
      ${all.map(([x, text]) => html`<option value=${x} ?selected=${x === value} lang=${CHINESE}>${text}</option>`)}
    </select></label>`;
}

function modesView() {
  return html`<fieldset class="modes">
    <legend>${t("mode")}</legend>
    ${MODES.map(
      (mode) => html`<label><input type="radio" name="mode" value=${mode} .checked=${live(mode === state.form.mode)}
        @change=${() => narrowed("mode", mode)} /><span>${t(mode)}</span></label>`,
    )}
  </fieldset>`;
}

function isFiltered() {
  return FILTERS.some((name) => state.form[name]);
}

function dropButton() {
  return isFiltered() ? html`<button class="button quiet" @click=${unfiltered}>${t("drop")}</button>` : nothing;
}

function broken(problem) {
  return html`<div class="row error" role="alert">
    <span>${problem.message}</span>
    ${problem.status === 422
      ? problem.code && dropButton() // what is asked for is not to be had: asking again would not help
      : html`<button class="button quiet small" @click=${() => sent({ k: state.form.k })}>${t("retry")}</button>`}
  </div>`;
}

function examples() {
  return html`<h2 class="faint">${t("examples")}</h2>
    <ul class="examples">
      ${EXAMPLES.map((q) => html`<li><a class="button quiet" lang=${CHINESE} href="#/search?${new URLSearchParams({ q })}">${q}</a></li>`)}
    </ul>`;
}

/* ---- what was understood ----------------------------------------------------------------------- */

function understood({ readings }) {
  return readingChips({ readings, ignored: state.form.ignore, toggle: removed, known: state.readings });
}

/* ---- what was found ---------------------------------------------------------------------------- */

function found(result) {
  const { hits } = result;
  return html`${understood(result)} ${hits.length ? html`<h2 class="faint">${t("found", { n: hits.length })}</h2>` : emptyView()}
    <ol class="hits">
      ${repeat(hits, (hit) => hit.passage_id, (hit) => guard([hit, language()], () => hitView(hit)))}
    </ol>
    ${hits.length ? rest(hits.length) : nothing}`;
}

function rest(count) {
  if (count < state.form.k || count >= MOST) return html`<p class="note">${t("all")}</p>`;
  const step = Math.min(STEP, MOST - count);
  return html`<button class="button quiet" ?disabled=${state.running !== null} @click=${more}>${t("more", { n: step })}</button>`;
}

function emptyView() {
  return html`<div class="card search-none">
    <p><strong>${t("none")}</strong> ${isFiltered() ? t("noneFilters") : t("noneTry")}</p>
    <div class="row">
      ${dropButton()}
      ${state.form.mode === "hybrid" ? nothing : html`<button class="button quiet" @click=${() => narrowed("mode", "hybrid")}>${t("whole")}</button>`}
    </div>
  </div>`;
}
