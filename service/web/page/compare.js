/* The years side by side: what the reports of each say about a district, a park or a topic. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { drawable, getJson, postJson, Problem } from "./api.js";
import { copyTable } from "./compare-table.js";
import { copyMenu } from "./copy.js";
import { fetching, IDLE, stop } from "./fetching.js";
import { citationNumber } from "./numbers.js";
import { go, say, toast, update } from "./page.js";
import { cut, tidy } from "./text.js";
import { CHINESE, words } from "./words.js";

const PER_YEAR = ["2", "4", "8", "20"];
const USUAL = "4";
const FEW = 5; // years that stand side by side on a desk
const KINDS = ["district", "park", "place"];
const TOPICS = ["先投后股", "大零号湾", "科普活动", "元宇宙", "人工智能"];
const BULLET = /^\s*[-•■»]\s*/;
const t = words({
  title: ["各年对照", "Compare the years"],
  lead: [
    "选一个区、一个园区，或写一个主题：每年一列，看各年的报告怎么说。每句都是原文，点编号可核对。",
    "Choose a district or a park, or write a topic: one column a year, in the reports' own words. Each number opens the source.",
  ],
  of: ["对照什么", "Compare what"],
  ofHint: ["如 嘉定区、张江、先投后股", "e.g. 嘉定区, 张江, 先投后股"],
  aspect: ["只看哪一方面（可不填）", "Only about (optional)"],
  aspectHint: ["如 人工智能", "e.g. 人工智能"],
  perYear: ["每年至多", "At most, a year"],
  sentences: ["{n} 句", "{n} sentences"],
  go: ["对照", "Compare"],
  district: ["区", "Districts"],
  park: ["园区", "Parks"],
  place: ["其他地方", "Other places"],
  topics: ["主题，可以自己写", "Topics, or write your own"],
  years: ["{n} 年", "{n} yrs"],
  yearsLong: ["{name}，{n} 年的报告说到", "{name}, in the reports of {n} years"],
  choices: ["可以对照的地方", "Places to compare"],
  noChoices: ["取不到地名。仍可以自己写。{why}", "The list of places can't be had; you can still write your own. {why}"],
  loading: ["正在对照…", "Comparing…"],
  retry: ["重试", "Try again"],
  other: ["换一个对照", "Compare something else"],
  what: ["{of}：各年的报告怎么说", "{of}: what the reports of each year say"],
  whatAspect: ["{of} · {aspect}：各年的报告怎么说", "{of} · {aspect}: what the reports of each year say"],
  told: ["{n} 年的报告中，{k} 年说到。", "{k} of {n} years speak of it."],
  none: ["各年的报告都没有说到。可以换一种说法，或不限方面。", "No year speaks of it. Try other words, or no aspect."],
  empty: ["还没有报告可以对照。", "There are no reports to compare yet."],
  copy: ["复制对照表", "Copy as a table"],
  copied: ["已复制对照表，可以粘贴到文档里。", "Copied. Paste it into your document."],
  notCopied: ["浏览器不让复制。请选中表格，按 Ctrl+C。", "The browser refused. Select the table and press Ctrl+C."],
  year: ["{n} 年", "{n}"],
  mentioned: ["{n} 段说到", "{n} passages"],
  all: ["在这一年中检索", "Search this year"],
  silent: ["没有说到", "Silent"],
  alike: ["意思相近", "In other words"],
  alikeWhat: ["这一句没有用所写的字", "This sentence has none of the words you wrote"],
  unnamed: ["{said}", "The reports of {year} don't name it."],
  unsaid: ["{said}", "Nothing was found on it in the reports of {year}."],
});

const state = {
  form: { of: "", aspect: "", perYear: USUAL },
  asked: "", // the place of the page that the result, or what is coming, is for
  result: null,
  ...IDLE,
  subjects: null,
  subjectsProblem: null,
};

/* ---- what happens ------------------------------------------------------------------------------ */

/** `#/compare?of=嘉定区&aspect=…&per=8` compares at once; without `of` one chooses. */
export function arrive(query) {
  const perYear = PER_YEAR.includes(query.get("per")) ? query.get("per") : USUAL;
  const form = { of: query.get("of") ?? "", aspect: query.get("aspect") ?? "", perYear };
  if (state.asked !== String(query)) {
    state.asked = String(query);
    state.form = form;
    compare();
  }
  choose();
}

function sent() {
  const { of, aspect, perYear } = state.form;
  if (!of.trim()) {
    document.getElementById("compare-of").focus();
    return;
  }
  const query = new URLSearchParams({ of: of.trim() });
  if (aspect.trim()) query.set("aspect", aspect.trim());
  if (perYear !== USUAL) query.set("per", perYear);
  if (state.asked === String(query)) compare();
  else go(`#/compare?${query}`);
}

function changed(name, value) {
  state.form = { ...state.form, [name]: value };
  update();
}

async function compare() {
  const { of, aspect, perYear } = state.form;
  stop(state);
  state.result = null;
  if (of.trim()) {
    const body = { subject: of, per_year: Number(perYear), ...(aspect.trim() && { aspect }) };
    const get = async (signal) => drawable(await postJson("v1/compare", body, { signal }), comparison);
    await fetching(state, get, (result) => {
      state.result = result;
      say(told(result));
    });
  }
  goOn(of.trim() ? "compare-result" : "compare-of");
}

/** Where what had the keyboard is gone, one goes on from there. */
function goOn(id) {
  requestAnimationFrame(() => {
    if (document.activeElement === document.body) document.getElementById(id)?.focus();
  });
}

async function choose() {
  try {
    const found = drawable(await getJson("v1/subjects"), (x) => x.subjects.map(({ name, years }) => [tidy(name), years.length]));
    Object.assign(state, { subjects: found.subjects, subjectsProblem: null });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    state.subjectsProblem = error;
  }
  update();
}

async function copied() {
  toast((await copyTable(state.result)) ? t("copied") : t("notCopied"));
}

function speaking(result) {
  return result.columns.filter((x) => x.cells.length);
}

function told(result) {
  return speaking(result).length ? t("told", { n: result.columns.length, k: speaking(result).length }) : t("none");
}

/* ---- the view ---------------------------------------------------------------------------------- */

export function view() {
  const { result, problem, running } = state;
  return html`<h1>${t("title")}</h1>
    <p class="faint compare-lead">${t("lead")}</p>
    ${form()}
    ${running && state.isLate ? html`<p class="faint" role="status">${t("loading")}</p>` : nothing}
    ${problem ? broken(problem) : nothing} ${result ? comparison(result) : nothing}
    ${result || running || problem ? nothing : choices()}`;
}

function form() {
  const { of, aspect, perYear } = state.form;
  const submitted = (event) => {
    event.preventDefault();
    sent();
  };
  return html`<form class="compare-form" @submit=${submitted}>
    <label class="stacked">${t("of")}
      <input id="compare-of" class="field" list="compare-places" autocomplete="off" placeholder=${t("ofHint")}
        .value=${of} @input=${(event) => changed("of", event.target.value)} /></label>
    <datalist id="compare-places">${state.subjects?.map((x) => html`<option value=${x.name}>${t("years", { n: x.years.length })}</option>`)}</datalist>
    <label class="stacked">${t("aspect")}
      <input id="compare-aspect" class="field" autocomplete="off" placeholder=${t("aspectHint")}
        .value=${aspect} @input=${(event) => changed("aspect", event.target.value)} /></label>
    <label class="stacked">${t("perYear")}
      <select class="field" .value=${perYear} @change=${(event) => changed("perYear", event.target.value)}>
        ${PER_YEAR.map((x) => html`<option value=${x} ?selected=${x === perYear}>${t("sentences", { n: x })}</option>`)}
      </select></label>
    <button class="button">${t("go")}</button>
  </form>`;
}

function broken(problem) {
  return html`<div class="row error" role="alert">
    <span>${problem.message}</span>
    <button class="button quiet small" @click=${compare}>${t("retry")}</button>
  </div>`;
}

/* ---- what to choose from ----------------------------------------------------------------------- */

function choices() {
  if (state.subjectsProblem) {
    return html`<div class="row warning"><span>${t("noChoices", { why: state.subjectsProblem.message })}</span>
      <button class="button quiet small" @click=${choose}>${t("retry")}</button></div>`;
  }
  if (!state.subjects) return nothing;
  const groups = KINDS.map((kind) => [kind, state.subjects.filter((x) => x.kind === kind)]).filter(([, some]) => some.length);
  return html`<div class="compare-choices">
    ${groups.map(([kind, some]) => choiceGroup(t(kind), some.map((x) => [x.name, x.years.length])))}
    ${choiceGroup(t("topics"), TOPICS.map((x) => [x, 0]))}
  </div>`;
}

function choiceGroup(title, names) {
  const chosen = (name) => {
    state.form = { ...state.form, of: name };
    sent();
  };
  return html`<section>
    <h2 class="faint">${title}</h2>
    <ul>
      ${names.map(
        ([name, years]) => html`<li><button class="button quiet" lang=${CHINESE} aria-label=${years ? t("yearsLong", { name, n: years }) : name}
          @click=${() => chosen(name)}>${tidy(name)}${years ? html` <span class="faint">${t("years", { n: years })}</span>` : nothing}</button></li>`,
      )}
    </ul>
  </section>`;
}

/* ---- the comparison ---------------------------------------------------------------------------- */

function comparison(result) {
  const { subject: of, aspect } = result;
  const title = aspect ? t("whatAspect", { of, aspect }) : t("what", { of });
  const known = new Map(result.citations.map((x) => [x.number, x]));
  return html`<div class="compare-head">
      <div>
        <h2 id="compare-result" tabindex="-1">${tidy(title)}</h2>
        <p class="faint">${result.columns.length ? told(result) : t("empty")}</p>
      </div>
      <div class="row">
        ${speaking(result).length ? html`<button class="button quiet" @click=${copied}>${t("copy")}</button>` : nothing}
        <a class="button quiet" href="#/compare">${t("other")}</a>
      </div>
    </div>
    ${result.notices.map((x) => html`<p class="note" lang=${CHINESE}>${tidy(x)}</p>`)}
    <div class="years-frame">
      <div class="years ${result.columns.length <= FEW ? "few" : ""}" tabindex="0" role="region" aria-label=${tidy(title)}>
        ${result.columns.map((x) => yearView(x, known, result))}
      </div>
    </div>`;
}

function yearView(column, known, result) {
  const isSilent = !column.cells.length;
  const search = new URLSearchParams({ q: [result.subject, result.aspect ?? ""].join(" ").trim(), from: column.year, to: column.year });
  return html`<section class="year ${isSilent ? "silent" : ""}">
    <header>
      <h3>${t("year", { n: column.year })} ${isSilent ? html`<span class="tag">${t("silent")}</span>` : nothing}</h3>
      ${isSilent ? nothing : html`<p class="faint">${t("mentioned", { n: column.mentioned })} · <a href="#/search?${search}">${t("all")}</a></p>`}
    </header>
    ${isSilent ? silence(column) : html`<ul>${column.cells.map((x, n) => cell(x, column.cells[n - 1], column, known, result))}</ul>`}
    <footer class="faint" lang=${CHINESE}>${column.documents.map((x) => html`<p>《${tidy(x.title)}》</p>`)}</footer>
  </section>`;
}

/** The service says in Chinese why a year is silent. */
function silence({ year, reason }) {
  const why = t(reason.code === "no_place_year" ? "unnamed" : "unsaid", { year, said: tidy(reason.message) });
  return html`<p class="silence">${why}</p>`;
}

/** A sentence of the source, without its bullet and its bold marks. What its place is called is said where it changes. */
function cell({ text, marks, label, section, citations, document_id: id }, before, column, known, result) {
  const bare = text.replace(BULLET, (bullet) => " ".repeat(bullet.length));
  const citation = known.get(citations[0]);
  const isTopic = result.aspect || !result.place;
  const title = column.documents.length > 1 ? [column.documents.find((x) => x.id === id)?.title] : [];
  const above = [...title, section.at(-1)].filter((x) => x && x !== label);
  return html`<li class="cell">
    <p lang=${CHINESE}>${label && label !== before?.label ? html`<span class="side">${tidy(label)}</span>` : nothing}${cut(bare, 0, marks).map((x) =>
      x.isMarked ? html`<b>${tidy(x.text)}</b>` : tidy(x.text),
    )}${citationNumber(citation)}</p>
    <div class="cell-foot">
      <span class="faint">${isTopic && !marks.length ? html`<span class="tag" title=${t("alikeWhat")}>${t("alike")}</span>` : nothing}
        <span lang=${CHINESE}>${above.map(tidy).join(" · ")}</span></span>
      ${copyMenu(citation)}
    </div>
  </li>`;
}
