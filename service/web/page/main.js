/* The frame of the page: its head, the view of the present place, the source panel beside it. Begins here. */
import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import * as ask from "./ask.js";
import * as compare from "./compare.js";
import { connection } from "./connection.js";
import * as documents from "./documents.js";
import * as evaluation from "./evaluation.js";
import { keyDialog } from "./key.js";
import { preview } from "./numbers.js";
import { drawWith, place, toasted, update } from "./page.js";
import * as panel from "./panel.js";
import * as search from "./search.js";
import { setTheme, theme, THEMES } from "./theme.js";
import { language, setLanguage, words } from "./words.js";

const VIEWS = { ask, search, compare, documents, evaluation };
const t = words({
  name: ["科问", "kewen"],
  ask: ["提问", "Ask"],
  search: ["检索", "Search"],
  compare: ["对照", "Compare"],
  documents: ["资料", "Documents"],
  evaluation: ["评测", "Evaluation"],
  skip: ["跳到正文", "Skip to content"],
  sections: ["各栏", "Sections"],
  other: ["English", "中文"],
  auto: ["随系统", "as the system"],
  light: ["浅色", "light"],
  dark: ["深色", "dark"],
  theme: ["颜色：{now}", "Theme: {now}"],
  broken: ["这里的内容显示不出来。请刷新网页；其他各栏仍可使用。", "This can't be shown. Please reload the page; the other sections still work."],
  reload: ["刷新网页", "Reload"],
  down: ["连不上科问服务，正在重试。已输入的内容都还在。", "Can't reach kewen, trying again. What you typed is kept."],
});

function current() {
  return Object.hasOwn(VIEWS, place().name) ? place().name : "ask";
}

function head() {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  const other = language() === "zh" ? "en" : "zh";
  const switched = () => {
    setLanguage(other);
    update();
  };
  return html`<header class="head">
    <button class="skip" @click=${() => document.getElementById("main").focus()}>${t("skip")}</button>
    <a class="brand" href="#/ask">${logo()}<span>${t("name")}</span></a>
    <nav aria-label=${t("sections")}>
      ${Object.keys(VIEWS).map(
        (name) => html`<a href="#/${name}" aria-current=${name === current() ? "page" : nothing}>${t(name)}</a>`,
      )}
    </nav>
    <div class="tools">
      <button class="tool" lang=${other === "en" ? "en" : "zh-Hans"} @click=${switched}>${t("other")}</button>
      <button class="tool" @click=${() => setTheme(next)}>${t("theme", { now: t(theme()) })}</button>
    </div>
  </header>`;
}

function logo() {
  return html`<svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="7" />
    <path d="M8 7.5h16v12.5H16l-5.5 5V20H8z" />
  </svg>`;
}

function page() {
  const beside = panel.view();
  return html`${head()}
    ${connection.isDown ? html`<p class="warning banner" role="alert">${t("down")}</p>` : nothing}
    <div class="stage ${panel.isOpen() ? "with-panel" : ""}">
      <main id="main" tabindex="-1" class=${current()}>${VIEWS[current()].view()}</main>
      ${beside}
    </div>
    <div class="toast" ?hidden=${!toasted()}>${toasted()}</div>
    ${preview()} ${keyDialog()}`;
}

let shownPlace = "";

/** A view hears that its place was entered, or changed; the keyboard goes on from its beginning. */
function arrive() {
  const name = current();
  VIEWS[name].arrive?.(place().query);
  document.title = `${t(name)} · ${t("name")}`;
  if (shownPlace && shownPlace !== name) document.getElementById("main").focus({ preventScroll: true });
  if (shownPlace !== name) window.scrollTo(0, 0);
  shownPlace = name;
  update();
}

/** What can't be drawn does not take the rest with it. What is half drawn then is thrown away. */
function draw() {
  const root = document.getElementById("page");
  try {
    render(page(), root);
  } catch (error) {
    console.error(error);
    const fresh = root.cloneNode(false);
    root.replaceWith(fresh);
    render(html`${head()}<main id="main" tabindex="-1">${broken()}</main>`, fresh);
  }
}

function broken() {
  return html`<div class="row error" role="alert">
    <span>${t("broken")}</span>
    <button class="button quiet small" @click=${() => location.reload()}>${t("reload")}</button>
  </div>`;
}

drawWith(draw);
window.addEventListener("hashchange", arrive);
arrive();
