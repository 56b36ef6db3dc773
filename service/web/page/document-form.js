/* A small form in which one of the user's own documents is corrected. One is open at a time. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { change, find } from "./library.js";
import { toast, update } from "./page.js";
import { tidy } from "./text.js";
import { CHINESE, words } from "./words.js";

const FIELDS = ["title", "year", "series", "kind", "issuer"];
const t = words({
  title: ["题名", "Title"],
  year: ["所述年份", "Year it reports on"],
  series: ["系列（各年同名的报告属于一个系列）", "Series (reports of one name over the years)"],
  kind: ["类别，如 年度报告、规划", "Kind, such as 年度报告 or 规划"],
  issuer: ["发布机构", "Issuer"],
  save: ["保存", "Save"],
  saving: ["正在保存…", "Saving…"],
  cancel: ["取消", "Cancel"],
  saved: ["已更正《{title}》。", "Corrected 《{title}》."],
  same: ["没有改动。", "Nothing changed."],
  form: ["更正《{title}》", "Correct 《{title}》"],
});

let editing = null; // { id, where, typed: what the reader wrote into each field, isBusy, problem }

export function isEdited(id, where) {
  return editing?.id === id && editing.where === where;
}

/** `where` tells two forms of one document apart: in the list, and among the files just added. */
export function edit(id, where) {
  editing = { id, where, typed: {}, isBusy: false, problem: null };
  focusOn(fieldId("title"));
}

/** The button that opens the form, to which the keyboard returns. */
export function editButtonId(id, where) {
  return `edit-${where}-${id}`;
}

/** Draw, then give an element the focus. */
export function focusOn(id) {
  update();
  queueMicrotask(() => document.getElementById(id)?.focus());
}

function fieldId(name) {
  return `edit-field-${name}`;
}

function close() {
  const { id, where } = editing;
  editing = null;
  focusOn(editButtonId(id, where));
}

async function save(event) {
  event.preventDefault();
  const mine = editing;
  const about = differences(new FormData(event.target), find(mine.id) ?? {});
  if (!Object.keys(about).length) {
    toast(t("same"));
    close();
    return;
  }
  Object.assign(mine, { isBusy: true, problem: null });
  update();
  try {
    const { title } = await change(mine.id, about);
    toast(t("saved", { title: tidy(title) }));
    if (editing === mine) close();
  } catch (problem) {
    Object.assign(mine, { isBusy: false, problem });
    if (editing === mine) focusOn(fieldId(FIELDS.includes(problem.detail?.param) ? problem.detail.param : "title"));
  }
}

/** What was changed. A year that is no number goes as it is: the service says what is wrong with it. */
function differences(form, known) {
  const about = {};
  for (const name of FIELDS) {
    const text = form.get(name).trim();
    if (text === String(known[name] ?? "")) continue;
    about[name] = name === "year" && /^\d{1,6}$/.test(text) ? Number(text) : text;
  }
  return about;
}

export function formOf(document) {
  const { typed, isBusy, problem } = editing;
  const written = ({ target }) => (typed[target.name] = target.value);
  const isElsewhere = problem && !FIELDS.includes(problem.detail?.param);
  return html`<form
    class="correction"
    aria-label=${t("form", { title: tidy(document.title) })}
    novalidate
    @submit=${save}
    @input=${written}
    @keydown=${(event) => event.key === "Escape" && !event.isComposing && !isBusy && close()}
  >
    ${FIELDS.map((name) => field(name, typed[name] ?? document[name], isBusy, problem?.detail?.param === name ? problem : null))}
    ${isElsewhere ? html`<p class="error" role="alert" lang=${CHINESE}>${problem.message}</p>` : nothing}
    <div class="row">
      <button class="button" ?disabled=${isBusy}>${isBusy ? t("saving") : t("save")}</button>
      <button type="button" class="button quiet" ?disabled=${isBusy} @click=${close}>${t("cancel")}</button>
    </div>
  </form>`;
}

/** The service names a field by its name in the API, which stands in no form: `year 太小，至少为 1900`. */
function faultOf(problem, name) {
  const said = problem.detail.fields?.[0];
  return said?.startsWith(name) ? said.slice(name.length).trim() : problem.message;
}

function field(name, value, isBusy, problem) {
  const fault = `${fieldId(name)}-fault`;
  return html`<label class="stacked field-${name}">
    ${t(name)}
    <input
      class="field"
      id=${fieldId(name)}
      name=${name}
      .value=${value ?? ""}
      lang=${CHINESE}
      autocomplete="off"
      inputmode=${name === "year" ? "numeric" : "text"}
      ?readonly=${isBusy}
      aria-invalid=${problem ? "true" : nothing}
      aria-describedby=${problem ? fault : nothing}
    />
    ${problem ? html`<span class="error" id=${fault} role="alert" lang=${CHINESE}>${faultOf(problem, name)}</span>` : nothing}
  </label>`;
}
