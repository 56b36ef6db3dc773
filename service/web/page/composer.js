/* The box in which one asks. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { live } from "./vendor/lit-html/directives/live.js";
import { ref } from "./vendor/lit-html/directives/ref.js";
import { words } from "./words.js";

const t = words({
  question: ["问题", "Your question"],
  first: ["想知道什么？比如：嘉定区有哪些产业？", "What would you like to know?"],
  next: ["接着问……", "Ask on…"],
  ask: ["提问", "Ask"],
  stop: ["停止", "Stop"],
});

/** `text` and `fault` are what stands there; `change(text)`, `send()` and `stop()` what one can do. */
export function composer({ text, fault, isRunning, isFirst, change, send, stop }) {
  const submit = (event) => {
    event.preventDefault();
    if (isRunning) stop();
    else send();
  };
  const pressed = (event) => {
    // Enter that ends a composition chooses a word; Safari reports it as key 229 after the composition.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    if (!isRunning) send();
  };
  return html`<form class="composer" @submit=${submit}>
    <label class="visually-hidden" for="question">${t("question")}</label>
    <textarea
      id="question"
      class="field"
      rows="1"
      enterkeyhint="send"
      placeholder=${isFirst ? t("first") : t("next")}
      aria-invalid=${fault ? "true" : nothing}
      aria-describedby=${fault ? "fault" : nothing}
      .value=${live(text)}
      @input=${(event) => change(event.target.value)}
      @keydown=${pressed}
      ${ref((field) => fit(field))}
    ></textarea>
    <button class="button">${isRunning ? t("stop") : t("ask")}</button>
    ${fault ? html`<p id="fault" class="error" role="alert">${fault}</p>` : nothing}
  </form>`;
}

/** As high as what stands in it, up to a third of the window. A new function each time, else it is called but once. */
function fit(field) {
  if (!field) return;
  queueMicrotask(() => {
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight + 2, window.innerHeight / 3)}px`;
  });
}
