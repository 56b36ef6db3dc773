/* Files on their way into the library: chosen or dropped, sent one by one, each with what became of it. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { drawable, Problem, upload } from "./api.js";
import { edit, editButtonId, formOf, isEdited } from "./document-form.js";
import { find, library, load, noteRefusal } from "./library.js";
import { place, say, update } from "./page.js";
import { openDocument } from "./panel.js";
import { tidy } from "./text.js";
import { CHINESE, words } from "./words.js";

const ACCEPTED = ".pdf,.docx,.html,.htm,.md,.markdown,.txt,.text";
const WHERE = "arrivals";
const t = words({
  choose: ["选择文件", "Choose files"],
  drop: ["把文件拖到这里，或", "Drop files here, or"],
  formats: [
    "可读 PDF、DOCX、HTML、Markdown 与纯文本。题名与年份由内容猜出，加入后可以更正。",
    "PDF, DOCX, HTML, Markdown and plain text. Title and year are guessed and can be corrected afterwards.",
  ],
  release: ["松手即加入资料", "Release to add these files"],
  title: ["正在加入的文件", "Files being added"],
  clear: ["清空此列", "Clear this list"],
  waiting: ["等候", "Waiting"],
  sending: ["发送 {n}%", "Sending, {n}%"],
  reading: ["正在读取并编入索引…", "Reading and indexing…"],
  stopped: ["已取消", "Cancelled"],
  gone: ["后来移除了", "Removed since"],
  failed: ["没有传成", "Not sent"],
  refused: ["没有加入", "Not added"],
  cancel: ["取消", "Cancel"],
  retry: ["重试", "Try again"],
  retryAll: ["全部重试", "Try all again"],
  open: ["看原文", "Open the text"],
  correct: ["更正", "Correct"],
  of: ["{what}：{name}", "{what}: {name}"],
  year: ["{n} 年", "{n}"],
  unreadable: [
    "读不到这个文件：它可能是个文件夹，或已被移动、改动。请重新选择文件。",
    "This file can't be read: it may be a folder, or was moved or changed. Please choose it again.",
  ],
});
/* The service's statuses of a file. */
const STATES = {
  ok: ["已加入", "Added"],
  updated: ["已更正", "Corrected"],
  replaced: ["已换成新版", "Replaced by this version"],
  moved: ["已在资料中", "Known already"],
  unchanged: ["已在资料中", "Known already"],
  duplicate_of: ["与已有的相同", "Same as a known one"],
  empty: ["没有文字", "No text"],
  no_text_layer: ["没有文字层", "No text layer"],
  encrypted: ["已加密", "Encrypted"],
  corrupt: ["读不了", "Unreadable"],
  unsupported: ["格式不支持", "Format not supported"],
  too_large: ["过大", "Too large"],
  too_many_pages: ["页数过多", "Too many pages"],
  timeout: ["读取超时", "Took too long"],
  memory_limit: ["超出内存", "Needs too much memory"],
  decode_error: ["编码不明", "Unknown encoding"],
  parser_crashed: ["解析中止", "Reading broke off"],
};
const stated = words(STATES);

/* { file, phase, share, control, outcome, problem }; phases: waiting, sending, reading, done, refused, failed, stopped */
let arrivals = [];
let isRunning = false;
let isOver = false;

/** Add files, one after another: what goes wrong with one costs the others nothing. */
export function take(files) {
  arrivals.push(...[...files].map((file) => ({ file, phase: "waiting", share: 0 })));
  run();
}

async function run() {
  update();
  if (isRunning) return;
  isRunning = true;
  for (let next; (next = arrivals.find((x) => x.phase === "waiting")); ) await send(next);
  isRunning = false;
}

async function send(arrival) {
  Object.assign(arrival, { phase: "sending", share: 0, control: new AbortController(), problem: null, outcome: null });
  update();
  try {
    await check(arrival.file);
    arrival.control.signal.throwIfAborted();
    const form = new FormData();
    form.append("file", arrival.file);
    const answer = await upload("v1/documents", form, (share) => progress(arrival, share), arrival.control.signal);
    const { documents } = drawable(answer, (x) => x.documents[0].status);
    Object.assign(arrival, { phase: "done", outcome: documents[0] });
    library.gone.delete(documents[0].id);
    await load();
  } catch (problem) {
    noteRefusal(problem);
    fail(arrival, problem);
  }
  say(t("of", { what: stateOf(arrival), name: tidy(arrival.file.name) }));
  update();
}

/** A folder, or a file that has changed since it was chosen, breaks off the sending without a word. */
async function check(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Problem("unreadable", t("unreadable"));
  }
}

/** All is out: from here on the service reads, and nobody can stop it. */
function progress(arrival, share) {
  Object.assign(arrival, { share, phase: share < 1 ? "sending" : "reading" });
  update();
}

function fail(arrival, problem) {
  const outcome = problem.detail?.documents?.[0];
  if (problem.name === "AbortError") arrival.phase = "stopped";
  else if (outcome) Object.assign(arrival, { phase: "refused", outcome });
  else Object.assign(arrival, { phase: "failed", problem });
}

function stop(arrival) {
  if (arrival.phase === "waiting") arrival.phase = "stopped";
  arrival.control?.abort();
  update();
}

/** Whether what failed could go well another time: what the service won't take, it won't take then. */
function mayPass({ phase, problem }) {
  const isFinal = problem?.status >= 400 && problem.status < 500 && ![408, 409, 429].includes(problem.status);
  return phase === "failed" && !isFinal;
}

function retry(...some) {
  for (const arrival of some) arrival.phase = "waiting";
  run();
}

// -- what is dropped, anywhere on the page: a browser would open the file in the place of the page ---------------------

function holdsFiles(event) {
  return event.dataTransfer?.types.includes("Files");
}

function hover(is) {
  if (isOver === is) return;
  isOver = is;
  update();
}

function isHere() {
  return place().name === "documents" && !library.forbidden;
}

window.addEventListener("dragover", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = isHere() ? "copy" : "none";
  hover(isHere());
});
window.addEventListener("dragleave", (event) => event.relatedTarget ?? hover(false));
window.addEventListener("drop", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  hover(false);
  take(event.dataTransfer.files); // nothing is dropped where `dropEffect` is none
});

// -- views -------------------------------------------------------------------------------------------------------------

export function dropZone() {
  const chosen = (event) => {
    take(event.target.files);
    event.target.value = ""; // so that the same file can be chosen again
  };
  return html`<div class="drop">
      <p>${t("drop")}</p>
      <button class="button" @click=${(event) => event.target.nextElementSibling.click()}>${t("choose")}</button>
      <input type="file" multiple accept=${ACCEPTED} aria-label=${t("choose")} hidden @change=${chosen} />
      <p class="faint">${t("formats")}</p>
    </div>
    ${isOver ? html`<div class="drop-over" aria-hidden="true"><p>${t("release")}</p></div>` : nothing}`;
}

export function arrivalsView() {
  if (!arrivals.length) return nothing;
  const failed = arrivals.filter(mayPass);
  const isOngoing = arrivals.some((x) => ["waiting", "sending", "reading"].includes(x.phase));
  const clear = () => {
    arrivals = [];
    update();
  };
  return html`<section class="arrivals" aria-labelledby="arrivals-title">
    <div class="row">
      <h2 id="arrivals-title">${t("title")}</h2>
      ${failed.length > 1 ? button("retryAll", () => retry(...failed)) : nothing}
      ${isOngoing ? nothing : button("clear", clear)}
    </div>
    <ul>
      ${arrivals.map(row)}
    </ul>
  </section>`;
}

function row(arrival) {
  const { file, phase, problem, outcome } = arrival;
  const known = outcome?.id && !library.gone.has(outcome.id) && (find(outcome.id) ?? outcome.document);
  const isBad = phase === "refused" || phase === "failed";
  const message = problem?.message ?? outcome?.message;
  return html`<li class="arrival" data-phase=${phase}>
    <div class="row">
      <p class="file">
        <bdi>${tidy(file.name)}</bdi>
        <span class="tag ${isBad ? "bad" : known ? "good" : ""}">${stateOf(arrival)}</span>
      </p>
      ${phase === "waiting" || phase === "sending" ? button("cancel", () => stop(arrival), file.name) : nothing}
      ${phase === "stopped" || mayPass(arrival) ? button("retry", () => retry(arrival), file.name) : nothing}
      ${known ? button("open", () => openDocument(known.id), known.title) : nothing}
      ${known?.own && !library.forbidden && !isEdited(known.id, WHERE)
        ? button("correct", () => edit(known.id, WHERE), known.title, editButtonId(known.id, WHERE))
        : nothing}
    </div>
    ${phase === "sending" || phase === "reading" ? bar(arrival) : nothing}
    ${message ? html`<p class=${isBad ? "error" : "faint"} lang=${CHINESE}>${tidy(message)}</p>` : nothing}
    ${known ? found(known) : nothing}
    ${known && isEdited(known.id, WHERE) ? formOf(known) : nothing}
  </li>`;
}

function bar({ file, phase, share }) {
  return html`<progress max="1" value=${phase === "sending" ? share : nothing} aria-label=${tidy(file.name)}></progress>`;
}

/** What was made of a file, with the ground of each guess: wrong ones are seen at once. */
function found({ title, title_basis, year, year_basis }) {
  return html`<p lang=${CHINESE}>
    《${tidy(title)}》${ground(title_basis)}<span class="guess">${t("year", { n: year })}</span>${ground(year_basis)}
  </p>`;
}

function ground(basis) {
  return basis ? html`<span class="faint">（${tidy(basis)}）</span>` : nothing;
}

function button(name, act, of = "", id = nothing) {
  const label = of ? t("of", { what: t(name), name: tidy(of) }) : nothing;
  return html`<button class="button quiet small" id=${id} aria-label=${label} @click=${act}>${t(name)}</button>`;
}

function stateOf({ phase, share, outcome }) {
  if (library.gone.has(outcome?.id)) return t("gone");
  if (outcome?.status in STATES) return stated(outcome.status);
  if (phase === "done") return stated("ok");
  return t(phase, { n: Math.round(share * 100) });
}
