/* The latest evaluation: how well questions are answered, in figures that say how sure they are. */
import { html, nothing, svg } from "./vendor/lit-html/lit-html.js";
import { drawable, getJson, Problem } from "./api.js";
import { toast, update } from "./page.js";
import { tidy } from "./text.js";
import { language, words } from "./words.js";

const SLOW = 200; // milliseconds
const COMMANDS = ["kewen eval run --answers --out pingce", "kewen eval report pingce"];
const t = words({
  title: ["评测", "Evaluation"],
  what: [
    "用一套有标准依据的问题检验检索与作答。每个数字后面是 95% 区间：换一批同样的问题，结果多半也在其中。",
    "Questions whose evidence is known, asked of kewen. What other questions of the kind would likely give (95% interval) stands beside each figure.",
  ],
  loading: ["正在取评测结果…", "Loading…"],
  retry: ["重试", "Try again"],
  open: ["打开完整报告", "Open the full report"],
  made: ["{when} 做成", "Made {when}"],
  asked: ["{n} 题，其中 {m} 题报告里有答案", "{n} questions, {m} of which the reports answer"],
  all: ["全部标准问题", "all questions"],
  dev: ["标准问题中用来调试的一半", "the half of the questions used for tuning"],
  test: ["标准问题中只用来检验的一半", "the half of the questions kept for testing"],
  system: ["所评：{name}", "System: {name}"],
  search: ["检索", "Search"],
  answers: ["作答", "Answers"],
  types: ["按问题类型：前五条命中", "By type of question: evidence in the first five"],
  interval: ["95% 区间 {low}–{high}%", "likely {low}–{high}%"],
  questions: ["{n} 题", "{n} questions"],
  none: ["还没有评测报告", "No evaluation report yet"],
  how: [
    "在运行科问的电脑上依次运行这两条命令，几分钟后回到这里即可看到。若 kewen serve 用了 --home，这两条也要带上。",
    "Run these two commands on the computer that runs kewen, and come back in a few minutes. Where kewen serve was given --home, they need it too.",
  ],
  copy: ["复制", "Copy"],
  copyOf: ["复制命令 {name}", "Copy the command {name}"],
  copied: ["已复制。", "Copied."],
  selected: ["已选中，请按 Ctrl+C 复制。", "Selected: press Ctrl+C to copy."],
  again: ["重新查看", "Look again"],
});
/* What needs no explanation; the full report has the rest. */
const MEASURES = {
  "Success@1": ["首条即中", "Evidence comes first"],
  "Success@5": ["前五条命中", "Evidence in the first five"],
  "Complete@10": ["前十条依据齐全", "All evidence in the first ten"],
  "Success@2000chars": ["前 2000 字内命中", "Evidence in the first 2,000 characters"],
  evidence: ["答案含依据", "Answers hold the evidence"],
  precision: ["所引切题", "Quotes are to the point"],
  correct: ["要点齐全", "Answers are complete"],
  silent: ["漏答（越低越好）", "Left unanswered (less is better)"],
};
const TYPES = {
  fact: ["问事实", "A fact"],
  paraphrase: ["换个说法", "Other words"],
  temporal: ["问年份", "Years"],
  list: ["列举", "A list"],
  multi: ["多处合看", "Several places"],
  crosslingual: ["用英文问", "Asked in English"],
  noisy: ["有错别字", "With typos"],
};
const measured = words(MEASURES);
const typed = words(TYPES);

const state = { report: undefined, problem: null, isSlow: false }; // report: undefined until it is known

export async function arrive() {
  const slow = setTimeout(() => {
    state.isSlow = true;
    update();
  }, SLOW);
  try {
    const { report } = drawable(await getJson("v1/evaluation"), (x) => x.report === null || figures(x.report));
    Object.assign(state, { report, problem: null });
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    state.problem = problem;
  }
  clearTimeout(slow);
  state.isSlow = false;
  update();
}

async function copy(event, command) {
  const code = event.target.previousElementSibling;
  try {
    await navigator.clipboard.writeText(command);
    toast(t("copied"));
  } catch {
    getSelection().selectAllChildren(code); // only pages of this computer, or behind TLS, may write the clipboard
    toast(t("selected"));
  }
}

// -- views -------------------------------------------------------------------------------------------------------------

export function view() {
  return html`<h1>${t("title")}</h1>
    ${content()}`;
}

function content() {
  const { report, problem, isSlow } = state;
  if (problem) {
    return html`<div class="error" role="alert">
      <p>${problem.message}</p>
      <button class="button quiet" @click=${arrive}>${t("retry")}</button>
    </div>`;
  }
  if (report === undefined) return isSlow ? html`<p class="faint" role="status">${t("loading")}</p>` : nothing;
  return report ? figures(report) : howTo();
}

function howTo() {
  return html`<div class="card how-to">
    <h2>${t("none")}</h2>
    <p>${t("how")}</p>
    <ol>
      ${COMMANDS.map(
        (command) => html`<li class="command">
          <code>${command}</code>
          <button
            class="button quiet small"
            aria-label=${t("copyOf", { name: command })}
            @click=${(event) => copy(event, command)}
          >
            ${t("copy")}
          </button>
        </li>`,
      )}
    </ol>
    <button class="button quiet" @click=${arrive}>${t("again")}</button>
  </div>`;
}

function figures(report) {
  const when = new Date(report.made).toLocaleString(language() === "zh" ? "zh-CN" : "en-GB", {
    dateStyle: "long",
    timeStyle: "short",
  });
  const part = ["dev", "test"].includes(report.split) ? report.split : "all";
  const types = Object.entries(report.by_type).sort(([, a], [, b]) => a["Success@5"].mean - b["Success@5"].mean);
  return html`<p class="faint">${t("what")}</p>
    <div class="about">
      <p>
        ${t("made", { when })} · ${t(part)} · ${t("asked", { n: report.questions, m: report.answerable })}
        <span class="faint system">${t("system", { name: tidy(report.system) })}</span>
      </p>
      <a class="button" href=${addressOf(report)} target="_blank" rel="noopener">${t("open")}</a>
    </div>
    ${cards("search", report.measures)} ${cards("answers", report.answers)}
    <section aria-labelledby="by-type">
      <h2 id="by-type">${t("types")}</h2>
      <ul class="bars">
        ${types.map(([name, values]) => bar(Object.hasOwn(TYPES, name) ? typed(name) : tidy(name), values))}
      </ul>
    </section>`;
}

/** The report's address bears a signature; the page may be reached by another name than the service knows. */
function addressOf(report) {
  return `evaluation${new URL(report.url).search}`;
}

function cards(name, measures) {
  const known = Object.entries(measures).filter(([measure]) => Object.hasOwn(MEASURES, measure));
  if (!known.length) return nothing;
  return html`<section aria-labelledby="figures-${name}">
    <h2 id="figures-${name}">${t(name)}</h2>
    <ul class="figures">
      ${known.map(
        ([measure, value]) => html`<li class="card" data-measure=${measure}>
          <span>${measured(measure)}</span><strong>${percent(value.mean)}%</strong
          ><span class="faint">${interval(value)}</span>
        </li>`,
      )}
    </ul>
  </section>`;
}

function percent(share) {
  const exact = share * 100;
  return exact > 99 && exact < 100 ? exact.toFixed(1) : String(Math.round(exact)); // 99.6% is not all
}

/** Where all went well, or nothing did, the questions can't say how sure that is. */
function interval({ low, high }) {
  return low < high ? t("interval", { low: percent(low), high: percent(high) }) : "";
}

function bar(name, { questions, "Success@5": value }) {
  return html`<li>
    <span>${name}</span>
    <svg class="meter" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
      <rect class="whole" width="100" height="10" />
      <rect class="share" width=${value.mean * 100} height="10" />
      ${value.high > value.low ? range(value) : nothing}
    </svg>
    <strong>${percent(value.mean)}%</strong>
    <span class="faint">${[t("questions", { n: questions }), interval(value)].filter(Boolean).join(" · ")}</span>
  </li>`;
}

function range({ low, high }) {
  return svg`<rect class="range" x=${low * 100} y="4" width=${(high - low) * 100} height="2" />`;
}
