/* The library: which documents there are and how each was read; to add some, correct one, remove one, bring one back. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { getBlob } from "./api.js";
import { edit, editButtonId, formOf, isEdited } from "./document-form.js";
import { askToRemove, removalDialog, removeButtonId, removedShelf } from "./document-removal.js";
import { library, load, pathOf } from "./library.js";
import { toast, update } from "./page.js";
import { openDocument } from "./panel.js";
import { tidy } from "./text.js";
import { arrivalsView, dropZone } from "./uploads.js";
import { CHINESE, language, words } from "./words.js";

const WHERE = "list";
const MANY = 12; // documents that one does not survey at a glance
const t = words({
  title: ["资料", "Documents"],
  own: ["我的资料", "My documents"],
  ownWhat: ["自己加入的，可以更正；移除时文件一并删去。", "Added here: can be corrected. Removing one deletes its file."],
  folder: ["报告文件夹", "Reports folder"],
  folderWhat: [
    "题名与年份由文件夹的清单定，这里不改；移除只是不再检索，随时可以恢复。",
    "Title and year come from the folder's list. Removing one only hides it; it can be brought back.",
  ],
  none: ["还没有。在上面加入报告之后，就可以提问。", "None yet. Add a report above, then ask about it."],
  loading: ["正在取资料…", "Loading…"],
  retry: ["重试", "Try again"],
  filter: ["按题名、系列、机构或年份筛选", "Filter by title, series, issuer or year"],
  filtered: ["没有合乎筛选的资料。", "No document matches."],
  name: ["题名", "Title"],
  year: ["年份", "Year"],
  series: ["系列", "Series"],
  kind: ["类别", "Kind"],
  size: ["篇幅", "Length"],
  actions: ["操作", "Actions"],
  pages: ["{n} 页", "{n} pages"],
  characters: ["{n} 字", "{n} characters"],
  passages: ["{n} 段", "{n} passages"],
  open: ["看原文", "Open the text"],
  more: ["详情", "Details"],
  of: ["{what}：《{name}》", "{what}: 《{name}》"],
  file: ["文件", "File"],
  issuer: ["发布机构", "Issuer"],
  id: ["编号", "Id"],
  titleBasis: ["题名依据", "Title taken from"],
  yearBasis: ["年份依据", "Year taken from"],
  notes: ["怎样读的", "How it was read"],
  plain: ["逐字读入，没有略去什么。", "Read as it is, nothing left out."],
  correct: ["更正", "Correct"],
  download: ["下载原件", "Download the file"],
  fetching: ["正在下载…", "Downloading…"],
  remove: ["移除", "Remove"],
});
const FORMATS = {
  "application/pdf": "PDF",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "DOCX",
  "text/html": "HTML",
  "text/markdown": "Markdown",
  "text/plain": "TXT",
};

/* What is shown beyond the list: the document whose details are open, the one whose file is fetched. */
const state = { openId: "", fetching: "", filter: "" };

export function arrive() {
  load();
}

function toggle(id) {
  state.openId = state.openId === id ? "" : id;
  update();
}

/** A link can't bear the key, so the file is fetched, and then given to the browser to save. */
async function download({ id, file }) {
  state.fetching = id;
  update();
  try {
    const address = URL.createObjectURL(await getBlob(`${pathOf(id)}/file`));
    Object.assign(document.createElement("a"), { href: address, download: file }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch (problem) {
    toast(problem.message);
  }
  state.fetching = "";
  update();
}

// -- views -------------------------------------------------------------------------------------------------------------

export function view() {
  return html`<h1 id="documents-title" tabindex="-1">${t("title")}</h1>
    ${library.forbidden ? html`<p class="note" lang=${CHINESE}>${library.forbidden}</p>` : dropZone()}
    ${arrivalsView()} ${content()} ${removalDialog()}`;
}

function content() {
  const { documents, problem, isSlow } = library;
  if (problem && !documents) {
    return html`<div class="error" role="alert">
      <p>${problem.message}</p>
      <button class="button quiet" @click=${load}>${t("retry")}</button>
    </div>`;
  }
  if (!documents) return isSlow ? html`<p class="faint" role="status">${t("loading")}</p>` : nothing;
  const own = documents.filter((x) => x.own).reverse(); // the newest first
  const folder = documents.filter((x) => !x.own);
  return html`${documents.length > MANY ? filterField() : nothing} ${shelf("own", own)}
  ${folder.length ? shelf("folder", folder) : nothing} ${removedShelf()}`;
}

function filterField() {
  const typed = (event) => {
    state.filter = event.target.value;
    update();
  };
  return html`<label class="stacked filter">
    ${t("filter")}<input class="field" type="search" .value=${state.filter} @input=${typed} />
  </label>`;
}

function isWanted({ title, series, issuer, year }) {
  const text = `${title} ${series} ${issuer ?? ""} ${year}`.toLowerCase();
  return text.includes(state.filter.trim().toLowerCase());
}

function shelf(name, documents) {
  const wanted = documents.filter(isWanted);
  return html`<section class="shelf" aria-labelledby="shelf-${name}">
    <h2 id="shelf-${name}">${t(name)} <span class="faint">${documents.length}</span></h2>
    <p class="faint">${t(documents.length ? `${name}What` : "none")}</p>
    ${documents.length ? table(wanted, `shelf-${name}`) : nothing}
  </section>`;
}

/* Roles are written out because a table that is laid out as cards, on a phone, loses its own. */
function table(documents, label) {
  if (!documents.length) return html`<p class="note">${t("filtered")}</p>`;
  return html`<table class="table library" role="table" aria-labelledby=${label}>
    <thead role="rowgroup">
      <tr role="row">
        ${["name", "year", "series", "size", "actions"].map(
          (name) => html`<th role="columnheader" scope="col" class="cell-${name}">${t(name)}</th>`,
        )}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${repeat(documents, (x) => x.id, rows)}
    </tbody>
  </table>`;
}

function rows(document) {
  const isOpen = state.openId === document.id;
  const name = tidy(document.title);
  return html`<tr role="row" data-id=${document.id}>
      <th role="rowheader" scope="row" class="cell-name" lang=${CHINESE}>${name}</th>
      <td role="cell" class="cell-year">${document.year}</td>
      <td role="cell" class="cell-series" lang=${CHINESE}>
        ${tidy(document.series)}<span class="faint">${tidy(document.kind)}</span>
      </td>
      <td role="cell" class="cell-size">${sizes(document)}</td>
      <td role="cell" class="cell-actions">
        <button
          class="button quiet small"
          aria-label=${t("of", { what: t("open"), name })}
          @click=${() => openDocument(document.id)}
        >
          ${t("open")}
        </button>
        <button
          class="button quiet small"
          aria-label=${t("of", { what: t("more"), name })}
          aria-expanded=${isOpen}
          @click=${() => toggle(document.id)}
        >
          ${t("more")}
        </button>
      </td>
    </tr>
    ${isOpen
      ? html`<tr role="row" class="more"><td role="cell" colspan="5">${details(document)}</td></tr>`
      : nothing}`;
}

function sizes({ pages, characters, passages }) {
  const number = new Intl.NumberFormat(language());
  const length = pages ? t("pages", { n: number.format(pages) }) : t("characters", { n: number.format(characters) });
  return html`${length}<span class="faint">${t("passages", { n: number.format(passages) })}</span>`;
}

function details(document) {
  if (isEdited(document.id, WHERE)) return formOf(document);
  const format = FORMATS[document.media_type] ?? document.media_type;
  const notes = document.notes.length ? document.notes.map((note) => tidy(note)) : [t("plain")];
  return html`<dl class="particulars">
      ${particular("file", document.file ? [`${tidy(document.file)}（${format}）`] : [format])}
      ${particular("issuer", document.issuer && [tidy(document.issuer)])}
      ${particular("titleBasis", document.title_basis && [tidy(document.title_basis)])}
      ${particular("yearBasis", document.year_basis && [tidy(document.year_basis)])}
      ${particular("notes", notes)} ${particular("id", [tidy(document.id)])}
    </dl>
    ${controls(document)}`;
}

function particular(name, values) {
  if (!values) return nothing;
  return html`<div><dt>${t(name)}</dt>${values.map((value) => html`<dd lang=${CHINESE}>${value}</dd>`)}</div>`;
}

function controls(document) {
  const { id, own } = document;
  const isFetching = state.fetching === id;
  const mayChange = !library.forbidden;
  return html`<div class="row">
    ${own && mayChange
      ? html`<button class="button quiet small" id=${editButtonId(id, WHERE)} @click=${() => edit(id, WHERE)}>
          ${t("correct")}
        </button>`
      : nothing}
    ${own
      ? html`<button class="button quiet small" ?disabled=${isFetching} @click=${() => download(document)}>
          ${t(isFetching ? "fetching" : "download")}
        </button>`
      : nothing}
    ${mayChange
      ? html`<button class="button quiet small" id=${removeButtonId(id)} @click=${() => askToRemove(document)}>${t("remove")}…</button>`
      : nothing}
  </div>`;
}
