/* The conversation: questions, and answers whose every sentence opens at its place in the source. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { answerView } from "./answer.js";
import { askStream, drawable, getJson, Problem } from "./api.js";
import { composer } from "./composer.js";
import { forget, read, readText, write } from "./kept.js";
import { go, say, update } from "./page.js";
import { tidy } from "./text.js";
import { words } from "./words.js";

const KEPT = 30; // turns that a tab remembers
const HISTORY = 10; // earlier questions that are sent along: the service looks at no more
const EXAMPLES = [
  "给老百姓讲科学的活动一年办多少场？",
  "宝山区有多少家生物医药企业？",
  "先租后股是什么？",
  "模速空间在哪个区？",
  "2015年和2022年，黄浦区的创新重点有什么不同？",
  "Which district is home to the AI industry base Mosu Space?",
];

const t = words({
  title: ["在报告里找到原文", "Find it in the reports"],
  lead: ["用平常的话问。答案摘自报告原文，每句都能点开出处核对；报告里没有的，会直说没有。", "Ask in your own words, Chinese or English. Answers are the reports' own sentences, each opens at its source; what they don't say, kewen says it doesn't know."],
  holdings: ["现收 {n} 份资料，{first}–{last} 年。", "{n} documents, {first}–{last}."],
  see: ["看资料", "See them"],
  examples: ["可以这样问", "For example"],
  conversation: ["问与答", "Conversation"],
  fresh: ["新对话", "New conversation"],
  tooLong: ["问题有 {n} 字，至多 2000 字。请缩短后再问。", "The question has {n} characters; 2000 is the most."],
});

const LONGEST = 2000;

const state = {
  draft: readText("draft", "sessionStorage"),
  fault: "",
  turns: kept(),
  running: null, // what stops the answer that is coming
  holdings: null,
};

/* ---- a turn: { id, question, ignored, said, notices, answer, problem, isStopped } -------------- */

function kept() {
  const turns = read("turns", "sessionStorage");
  return Array.isArray(turns) ? turns.filter(isWhole).map((x) => ({ ...x, id: newId() })) : [];
}

/** Whether a turn is one that was kept here, and can be drawn. */
function isWhole(turn) {
  try {
    const { question, ignored, answer, problem, isStopped } = turn;
    answerView(turn, {});
    return [question, ...ignored, ...(problem ? [problem.message] : [])].every((x) => typeof x === "string") && Boolean(answer || problem || isStopped);
  } catch {
    return false;
  }
}

function newId() {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

function keep() {
  const ended = state.turns.filter((x) => x.answer || x.problem || x.isStopped).slice(-KEPT);
  write("turns", ended.map((x) => ({ ...x, problem: x.problem && { code: x.problem.code, message: x.problem.message } })), "sessionStorage");
}

function typed(text) {
  state.draft = text;
  write("draft", text, "sessionStorage");
}

function asked() {
  const question = state.draft.trim();
  if (!question || state.running) return;
  const count = Array.from(question).length;
  if (count > LONGEST) {
    state.fault = t("tooLong", { n: count });
    update();
    return;
  }
  state.fault = "";
  typed("");
  const turn = { id: newId(), question, ignored: [] };
  state.turns.push(turn);
  answer(turn);
}

/** Ask, or ask again: without what the reader has removed from what was understood. */
async function answer(turn) {
  const before = state.turns.slice(0, state.turns.indexOf(turn)).filter((x) => x.answer);
  Object.assign(turn, { said: [], notices: [], answer: null, problem: null, isStopped: false });
  const running = new AbortController();
  state.running = running;
  update();
  requestAnimationFrame(() => document.getElementById(`turn-${turn.id}`)?.scrollIntoView()); // it is read from its beginning
  const history = before.map((x) => x.question).slice(-HISTORY);
  const body = { question: turn.question, history, ...(turn.ignored.length && { ignore: turn.ignored }) };
  try {
    take(turn, { answer: await askStream(body, (name, data) => heard(turn, name, data), running.signal) });
    say(tidy(turn.answer.answer));
  } catch (error) {
    if (error.name === "AbortError") turn.isStopped = true;
    else if (error instanceof Problem) failed(turn, error);
    else throw error;
  } finally {
    state.running = null;
    keep();
    update();
  }
}

function heard(turn, name, data) {
  if (name === "sentence") take(turn, { said: [...turn.said, data] });
  else if (name === "notice") take(turn, { notices: [...turn.notices, data.message] });
  update();
}

/** What came is the turn's, if it can be drawn. */
function take(turn, more) {
  Object.assign(turn, drawable(more, () => [answerView({ ...turn, ...more }, {}), tidy(more.answer?.answer ?? "")]));
}

/** A question that the service will not have goes back to be mended; any other can be asked again as it is. */
function failed(turn, problem) {
  const isMyFault = problem.status === 422 && !turn.answer;
  if (isMyFault && !state.draft && turn.ignored.length === 0) {
    state.turns = state.turns.filter((x) => x !== turn);
    typed(turn.question);
    state.fault = problem.message;
  } else {
    turn.problem = problem;
  }
}

function removed(turn, id) {
  if (state.running) return;
  turn.ignored = turn.ignored.includes(id) ? turn.ignored.filter((x) => x !== id) : [...turn.ignored, id];
  answer(turn);
}

function again(turn) {
  if (!state.running) answer(turn);
}

function fresh() {
  state.running?.abort();
  state.turns = [];
  forget("turns");
  update();
  document.getElementById("question").focus();
}

/* ---- the view ---------------------------------------------------------------------------------- */

/** `#/ask?q=…` asks at once: a link to a question. */
export function arrive(query) {
  const question = query.get("q");
  if (question) {
    go("#/ask", true);
    typed(question);
    asked();
  }
  look();
}

async function look() {
  if (state.holdings) return;
  try {
    const found = drawable(await getJson("v1/documents"), (x) => x.documents.map(({ year }) => year));
    state.holdings = found.documents;
    update();
  } catch (error) {
    if (!(error instanceof Problem)) throw error; // the frame says that the service is away
  }
}

export function view() {
  const isFirst = state.turns.length === 0;
  const box = composer({
    text: state.draft,
    fault: state.fault,
    isRunning: state.running !== null,
    isFirst,
    change: (text) => {
      typed(text);
      state.fault = "";
      update();
    },
    send: asked,
    stop: () => state.running?.abort(),
  });
  // The box keeps its place in this template, and with it the keyboard.
  return html`<div class=${isFirst ? "welcome" : "conversation"}>
    ${isFirst ? welcome() : conversation()}
    <div class="dock">${box} ${isFirst ? nothing : html`<button class="tool" @click=${fresh}>${t("fresh")}</button>`}</div>
    ${isFirst ? examples() : nothing}
  </div>`;
}

function welcome() {
  return html`<h1>${t("title")}</h1>
    <p class="lead">${t("lead")}</p>`;
}

function examples() {
  return html`<h2 class="faint">${t("examples")}</h2>
    <ul class="examples">
      ${EXAMPLES.map((x) => html`<li><button class="button quiet" lang=${/^[ -~]+$/.test(x) ? "en" : "zh-Hans"} @click=${() => example(x)}>${x}</button></li>`)}
    </ul>
    ${state.holdings?.length ? html`<p class="faint">${holdings()} <a href="#/documents">${t("see")}</a></p>` : nothing}`;
}

function example(question) {
  typed(question);
  asked();
  document.getElementById("question").focus();
}

function holdings() {
  const years = state.holdings.map((x) => x.year);
  return t("holdings", { n: state.holdings.length, first: Math.min(...years), last: Math.max(...years) });
}

function conversation() {
  return html`<h1 class="visually-hidden">${t("conversation")}</h1>
    ${repeat(state.turns, (turn) => turn.id, (turn) => answerView(turn, { removed, again, isBusy: state.running !== null }))}`;
}
