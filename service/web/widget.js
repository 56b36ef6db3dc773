/* 科问的问答框：在任何网页里放一行
     <script src="https://kewen.lan/widget.js" data-key="…" data-title="…" data-placeholder="…" async></script>
   右下角即有一个提问的按钮；加上 data-target="#id"，则嵌在那个元素里。
   No dependency, no eval, no HTML made from text; everything is in a closed shadow root. */
(() => {
  "use strict";

  const script = document.currentScript;
  if (!script || !/^https?:/.test(script.src)) {
    console.error("科问：widget.js 须用普通的 <script src> 引入。");
    return;
  }
  const { key = "", title = "科问", placeholder = "输入问题，按回车发送", target = "" } = script.dataset;
  const ASK = new URL("v1/ask", script.src).href; // beside widget.js: a proxy may serve both under a path of its own
  const HEALTH = new URL("healthz", script.src).href;
  const KEPT = 10; // questions sent along as history: the service looks at no more
  const NEAREST = 3; // passages shown where there is no answer
  const BULLET = /^\s*[-•■»]\s*/;

  /* ---- elements ------------------------------------------------------------------------------ */

  /** An element; children are elements or text, and text never becomes anything else. */
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  /** A line drawing of 24 by 24. */
  function icon(...paths) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    for (const d of paths) {
      const path = document.createElementNS(space, "path");
      path.setAttribute("d", d);
      svg.append(path);
    }
    return svg;
  }

  /** Text that leads to a source; only http(s) becomes a link. */
  function link(url, attributes, text) {
    let address;
    try {
      address = new URL(url);
    } catch {
      return make("span", {}, text);
    }
    if (address.protocol !== "http:" && address.protocol !== "https:") return make("span", {}, text);
    return make("a", { href: address.href, target: "_blank", rel: "noopener noreferrer", ...attributes }, text);
  }

  /** Source text as one reads it in a line: no bold marks, breaks of lines, control or direction marks. */
  function tidy(text) {
    return text.replaceAll("**", "").replace(/\s+/g, " ").replace(/[\p{Cc}\p{Cf}]/gu, "");
  }

  /* ---- answers ------------------------------------------------------------------------------- */

  /** A sentence with the words that answer it marked, and its [n]; `marks` are in code points. */
  function sentenceElement(sentence, cited) {
    const line = make("p", { class: "sentence" });
    if (sentence.label) line.append(make("span", { class: "side" }, `${tidy(sentence.label)}：`));
    const characters = Array.from(sentence.text.replace(BULLET, (mark) => " ".repeat(mark.length)));
    const piece = (start, end) => tidy(characters.slice(start, end).join(""));
    let end = 0;
    for (const [start, stop] of sentence.marks) {
      line.append(piece(end, start), make("b", {}, piece(start, stop)));
      end = stop;
    }
    line.append(piece(end));
    for (const number of sentence.citations) {
      const citation = cited.get(number);
      const name = { class: "number", "aria-label": `出处 ${number}` };
      line.append(citation ? link(citation.url, name, `[${number}]`) : `[${number}]`);
    }
    return line;
  }

  function sourcesElement(citations) {
    const list = make("ol", { class: "sources", "aria-label": "出处" });
    for (const citation of citations) {
      list.append(make("li", {}, `[${citation.number}] `, link(citation.url, {}, tidy(citation.label))));
    }
    return list;
  }

  function passagesElement(hits) {
    const list = make("ul", { class: "sources" });
    for (const hit of hits) {
      const shown = link(hit.citation.url, {}, tidy(hit.citation.label));
      list.append(make("li", {}, shown, make("p", { class: "passage" }, tidy(hit.text))));
    }
    return list;
  }

  /** One question and what comes of it. */
  class Turn {
    constructor(question) {
      this.cited = new Map();
      this.said = [];
      this.notices = make("div");
      this.body = make("div");
      this.status = make("p", { class: "status" }, "正在查找…");
      const asked = make("p", { class: "question" }, make("span", { class: "hidden" }, "问："), question);
      this.element = make("div", { class: "turn" }, asked, this.notices, this.body, this.status);
    }

    sentence(sentence) {
      for (const citation of sentence.new_citations) this.cited.set(citation.number, citation);
      this.said.push(sentence);
      this.body.append(sentenceElement(sentence, this.cited));
    }

    notice(text) {
      this.notices.append(make("p", { class: "notice" }, tidy(text)));
    }

    /** The whole answer, which alone counts: what was said before stands where it agrees. */
    answer(answer) {
      if (answer.resolved !== answer.question) {
        this.notices.prepend(make("p", { class: "notice" }, `理解为：${tidy(answer.resolved)}`));
      }
      if (answer.abstained) {
        this.body.replaceChildren(make("p", {}, tidy(answer.answer)));
        this.near("相近的段落（不是答案）", answer.hits.slice(0, NEAREST));
      } else if (answer.mode === "passages") {
        this.near("相关的段落", answer.hits);
      } else {
        const key = (x) => JSON.stringify([x.text, x.citations, x.label]);
        if (answer.sentences.map(key).join() !== this.said.map(key).join()) {
          const cited = new Map(answer.citations.map((x) => [x.number, x]));
          this.body.replaceChildren(...answer.sentences.map((x) => sentenceElement(x, cited)));
        }
        this.body.append(sourcesElement(answer.citations));
      }
      this.status.remove(); // last: what can't be read is told there
    }

    near(name, hits) {
      if (hits.length) this.body.append(make("p", { class: "status" }, name), passagesElement(hits));
    }

    /** What was said before the end is no answer, and is left standing with that word. */
    end(text, isError) {
      this.status.className = isError ? "error" : "status";
      this.status.textContent = text;
    }
  }

  /* ---- the service --------------------------------------------------------------------------- */

  /** An error whose message is for the reader. */
  class Refusal extends Error {}

  /** Events of a stream (WHATWG HTML, 9.2): [name, data] each. */
  async function* events(response) {
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const fields = block.split("\n").map((line) => line.match(/^(event|data): ?(.*)$/s) || []);
        const read = (name) => fields.filter((x) => x[1] === name).map((x) => x[2]).join("\n");
        if (read("data")) yield [read("event"), JSON.parse(read("data"))];
      }
    }
  }

  async function refusal(response) {
    if (response.status === 401) return new Refusal("问答框的密钥不对，或已失效。请告诉本网页的管理员。");
    let error = {};
    try {
      error = (await response.json()).error || {};
    } catch {
      // Not the service's own words: a proxy's, say.
    }
    const seconds = Number(response.headers.get("Retry-After") || (error.detail || {}).retry_after);
    if (response.status === 429) {
      return new Refusal(seconds > 0 ? `问得太快了，请 ${Math.ceil(seconds)} 秒后再问。` : "问得太快了，请稍后再问。");
    }
    return new Refusal(tidy(error.message || `问答服务出错（${response.status}）。请稍后再试。`));
  }

  /** Whether the page's own policy has kept the service out; browsers report it a moment after the failure. */
  let isShutOut = false;
  document.addEventListener("securitypolicyviolation", (event) => {
    isShutOut = isShutOut || event.blockedURI.startsWith(new URL(ASK).origin);
  });

  /** Why nothing came back: a browser does not tell a page, so the service's open address is tried. */
  async function silence() {
    if (location.protocol === "https:" && ASK.startsWith("http:")) {
      return new Refusal("本网页是 https，问答服务是 http，浏览器不允许连接。请告诉本网页的管理员。");
    }
    try {
      await fetch(HEALTH, { mode: "no-cors", credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer" });
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (isShutOut) return new Refusal("本网页的内容安全策略（CSP）不允许连接问答服务。请告诉本网页的管理员。");
      return new Refusal("连不上问答服务，请稍后再试。");
    }
    const origin = location.origin;
    return new Refusal(`问答服务没有允许本网页（${origin}）提问。请告诉管理员把它列入 allowed_origins。`);
  }

  async function post(question, history, signal) {
    try {
      return await fetch(ASK, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) },
        body: JSON.stringify({ question, history, stream: true }),
        credentials: "omit",
        cache: "no-store",
        signal,
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw await silence();
    }
  }

  /** Ask, and show in `turn` what comes; a stream that breaks off is an error, whatever it has said. */
  async function ask(turn, question, history, signal) {
    const response = await post(question, history, signal);
    if (!response.ok) throw await refusal(response);
    for await (const [name, data] of events(response)) {
      if (name === "sentence") turn.sentence(data);
      else if (name === "notice") turn.notice(data.message);
      else if (name === "error") throw new Refusal(tidy(data.message));
      else if (name === "answer") return turn.answer(data);
    }
    throw new Refusal("回答没有说完就中断了，请再问一次。");
  }

  /* ---- the box ------------------------------------------------------------------------------- */

  class Box {
    constructor() {
      this.history = [];
      this.running = null;
      this.log = make("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": "问与答", tabindex: "0" });
      this.input = make("textarea", { rows: "1", placeholder, "aria-label": "问题", enterkeyhint: "send" });
      this.button = make("button", { type: "submit", class: "send" }, "提问");
      this.form = make("form", {}, this.input, this.button);
      this.form.addEventListener("submit", (event) => {
        event.preventDefault();
        if (this.running) this.running.abort();
        else this.send();
      });
      this.input.addEventListener("keydown", (event) => this.pressed(event));
      this.input.addEventListener("input", () => this.fit());
    }

    pressed(event) {
      // Enter that ends a composition chooses a word; Safari reports it as key 229 after the composition.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      if (!this.running) this.send();
    }

    fit() {
      this.input.style.height = "auto";
      this.input.style.height = `${this.input.scrollHeight + 2}px`;
    }

    async send() {
      const question = this.input.value.trim();
      if (!question) return;
      const turn = new Turn(question);
      this.log.append(turn.element);
      this.log.scrollTop = this.log.scrollHeight;
      this.running = new AbortController();
      this.button.textContent = "停止";
      this.input.value = "";
      this.fit();
      try {
        await ask(turn, question, this.history, this.running.signal);
        this.history = [...this.history, question].slice(-KEPT);
      } catch (error) {
        this.failed(turn, question, error);
      } finally {
        this.running = null;
        this.button.textContent = "提问";
        // The question stays in view: an answer is read from its beginning.
        this.log.scrollTop = turn.element.offsetTop - this.log.offsetTop - 12;
      }
    }

    failed(turn, question, error) {
      const isStopped = error.name === "AbortError";
      if (!isStopped && !(error instanceof Refusal)) console.error("科问：", error);
      const unknown = "回答没有说完就中断了，请再问一次。";
      turn.end(isStopped ? "已停止。" : error instanceof Refusal ? error.message : unknown, !isStopped);
      if (!this.input.value) {
        this.input.value = question;
        this.fit();
      }
    }
  }

  /** The round button and its panel. */
  function floating(box, root) {
    const close = make("button", { type: "button", class: "close", "aria-label": "关闭" });
    close.append(icon("M6 6 18 18M18 6 6 18"));
    const head = make("div", { class: "head" }, make("h2", { id: "title" }, title), close);
    const panel = make("div", { class: "panel", id: "panel", role: "dialog", "aria-labelledby": "title" });
    panel.append(head, box.log, box.form);
    panel.hidden = true;
    const open = make("button", { type: "button", class: "open", "aria-label": title, "aria-controls": "panel" });
    open.append(icon("M4 5h16v11H10l-4 4v-4H4z", "M8.5 9h7M8.5 12h4"));
    const show = (isShown) => {
      panel.hidden = !isShown;
      open.setAttribute("aria-expanded", String(isShown));
      (isShown ? box.input : open).focus();
    };
    open.setAttribute("aria-expanded", "false");
    open.addEventListener("click", () => show(panel.hidden));
    close.addEventListener("click", () => show(false));
    panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing && event.keyCode !== 229) show(false);
    });
    root.append(open, panel);
  }

  function inline(box, root) {
    root.append(make("div", { class: "panel inline", role: "region", "aria-label": title }, box.log, box.form));
  }

  const STYLE = `
.kewen { --paper: #fff; --ink: #24221e; --faint: #6b675f; --rule: #dedbd4; --soft: #f3f1ec; --main: #1d5a8c;
  --on-main: #fff; --warn: #9c2f12;
  color: var(--ink); color-scheme: light; text-align: left; overflow-wrap: anywhere;
  font: 15px/1.7 system-ui, "PingFang SC", "HarmonyOS Sans SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
@media (prefers-color-scheme: dark) {
  .kewen { --paper: #1d1d1f; --ink: #e0ddd6; --faint: #a09b91; --rule: #3d3c40; --soft: #2a2a2d; --main: #8fc2ee;
    --on-main: #10222f; --warn: #ffb59c; color-scheme: dark; } }
*, ::before { box-sizing: border-box; }
[hidden] { display: none; }
p, ol, ul, h2 { margin: 0; padding: 0; list-style: none; }
button, textarea { font: inherit; color: inherit; }
button { cursor: pointer; border: 0; }
:focus-visible { outline: 2px solid var(--main); outline-offset: 2px; }
svg { width: 24px; height: 24px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round;
  stroke-linejoin: round; display: block; margin: auto; }
a { color: var(--main); }
.open { position: fixed; right: var(--right); bottom: 20px; width: 56px; height: 56px; border-radius: 50%;
  background: var(--main); color: var(--on-main); box-shadow: 0 3px 12px rgb(0 0 0 / 25%); }
.panel { position: fixed; right: var(--right); bottom: 88px; display: flex; flex-direction: column; width: 400px;
  max-width: calc(100vw - 40px); height: 600px; max-height: calc(100vh - 108px); overflow: hidden;
  border: 1px solid var(--rule); border-radius: 12px; background: var(--paper);
  box-shadow: 0 8px 32px rgb(0 0 0 / 20%); }
.panel[hidden] { display: none; }
.inline { position: static; width: auto; max-width: none; height: auto; max-height: 600px; box-shadow: none; }
.inline .log:empty { display: none; }
.head { display: flex; align-items: center; padding: 6px 6px 6px 16px; border-bottom: 1px solid var(--rule); }
h2 { flex: 1; font-size: 16px; font-weight: 600; }
.close { width: 44px; height: 44px; border-radius: 8px; background: none; color: var(--faint); }
.log { flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; padding: 16px; }
.log:focus-visible { outline-offset: -2px; }
.turn + .turn { margin-top: 24px; }
.turn p + p, .turn div + div { margin-top: 8px; }
.question { width: fit-content; max-width: 88%; margin: 0 0 12px auto; padding: 6px 12px; border-radius: 12px;
  background: var(--soft); white-space: pre-wrap; }
.side, b { font-weight: 600; }
.number { margin-left: 2px; font-size: 12px; text-decoration: none; }
.sources { margin-top: 12px; padding-top: 8px; border-top: 1px solid var(--rule); font-size: 13px; line-height: 1.6; }
.sources li + li { margin-top: 6px; }
.passage { display: -webkit-box; overflow: hidden; color: var(--faint); -webkit-box-orient: vertical;
  -webkit-line-clamp: 3; }
.notice, .status { color: var(--faint); font-size: 13px; }
.error { color: var(--warn); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
form { display: flex; gap: 8px; align-items: flex-end; padding: 12px; border-top: 1px solid var(--rule); }
.inline .log:empty + form { border-top: 0; }
textarea { flex: 1; min-width: 0; max-height: 140px; padding: 7px 12px; border: 1px solid var(--rule);
  border-radius: 8px; background: var(--paper); font-size: 16px; line-height: 1.5; resize: none; }
textarea::placeholder { color: var(--faint); opacity: 1; }
.send { flex: none; height: 40px; padding: 0 16px; border-radius: 8px; background: var(--main);
  color: var(--on-main); }
@media (max-width: 480px) {
  .panel:not(.inline) { inset: 0; width: auto; max-width: none; height: 100vh; height: 100dvh; max-height: none;
    border: 0; border-radius: 0; } }
@media print { .open, .panel:not(.inline) { display: none; } }
`;

  /** What the page's own style can't reach: inline and important, it stands above every rule of the page. */
  function shield(host, properties) {
    host.style.setProperty("all", "initial", "important");
    for (const [name, value] of Object.entries({ direction: "ltr", "unicode-bidi": "isolate", ...properties })) {
      host.style.setProperty(name, value, "important");
    }
  }

  function addStyle(root) {
    try {
      // A sheet that is made here is no inline style, which the page's CSP may forbid.
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      root.adoptedStyleSheets = [sheet];
    } catch {
      root.append(make("style", {}, STYLE));
    }
  }

  /** The element of `data-target`; null where there is none. */
  function place() {
    try {
      const found = target && document.querySelector(target);
      if (found) return found;
    } catch {
      // No selector: told below.
    }
    if (target) console.error(`科问：网页中没有 data-target 所指的元素 ${target}，问答框改放在右下角。`);
    return null;
  }

  function start() {
    const host = document.createElement("kewen-widget");
    const root = host.attachShadow({ mode: "closed" });
    const within = make("div", { class: "kewen", lang: "zh-Hans" });
    addStyle(root);
    root.append(within);
    // The page's own shortcuts are not meant by what is typed here.
    for (const name of ["keydown", "keypress", "keyup"]) root.addEventListener(name, (event) => event.stopPropagation());
    const box = new Box();
    const parent = place();
    if (parent) {
      shield(host, { display: "block" });
      inline(box, within);
      parent.append(host);
    } else {
      shield(host, { display: "block", position: "fixed", right: "0", bottom: "0", "z-index": "2147483647" });
      const others = document.querySelectorAll("kewen-widget[data-floating]").length;
      within.style.setProperty("--right", `${20 + others * 68}px`);
      host.dataset.floating = "";
      floating(box, within);
      document.documentElement.append(host); // beside <body>: its style and its scripts leave it alone
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
