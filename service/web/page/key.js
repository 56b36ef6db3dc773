/* The API key, where the service needs one: asked for once, kept for the tab or, if the reader wants, on this computer. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { ref } from "./vendor/lit-html/directives/ref.js";
import { forget, readText, write } from "./kept.js";
import { update } from "./page.js";
import { words } from "./words.js";

const t = words({
  title: ["请输入密钥", "API key needed"],
  why: ["这个服务要密钥才能使用。密钥由管理员用 kewen keys add 生成。", "This service needs a key. Its administrator makes one with kewen keys add."],
  wrong: ["密钥不对，或已被撤销。", "The key is wrong or was revoked."],
  key: ["密钥", "Key"],
  keep: ["记在这台电脑上", "Remember on this computer"],
  enter: ["继续", "Continue"],
  cancel: ["取消", "Cancel"],
});

const PLAIN = /^[!-~]+$/; // no header can bear another character: not a full-width one, nor one that nobody sees

let key = [readText("key", "sessionStorage"), readText("key")].find((x) => PLAIN.test(x)) ?? "";
let asking = null; // { promise, answer, isWrong }

export function currentKey() {
  return key;
}

/** True once the reader has given another key, false where not. Who asks meanwhile waits for the same answer. */
export function askForKey(problem) {
  if (!asking) {
    asking = { isWrong: key !== "" && problem.detail.reason === "key" };
    asking.promise = new Promise((resolve) => (asking.answer = resolve));
    update();
  }
  return asking.promise;
}

function end(given) {
  const { answer } = asking;
  asking = null;
  answer(given);
  update();
}

function enter(event) {
  event.preventDefault();
  const form = new FormData(event.target);
  const given = form.get("key").trim();
  if (!PLAIN.test(given)) {
    asking.isWrong = true;
    update();
    return;
  }
  key = given;
  forget("key");
  write("key", key, form.get("keep") ? "localStorage" : "sessionStorage");
  end(true);
}

/** A moment later: at first it stands in no document. */
function open(dialog) {
  queueMicrotask(() => dialog?.isConnected && !dialog.open && dialog.showModal());
}

export function keyDialog() {
  if (!asking) return nothing;
  return html`<dialog class="dialog" aria-labelledby="key-title" ${ref(open)} @cancel=${() => end(false)}>
    <form @submit=${enter}>
      <h2 id="key-title">${t("title")}</h2>
      <p class=${asking.isWrong ? "error" : "faint"}>${asking.isWrong ? t("wrong") : t("why")}</p>
      <label class="stacked">${t("key")}<input class="field" name="key" type="password" autocomplete="off" required /></label>
      <label class="inline"><input name="keep" type="checkbox" /> ${t("keep")}</label>
      <div class="row end">
        <button type="button" class="button quiet" @click=${() => end(false)}>${t("cancel")}</button>
        <button class="button">${t("enter")}</button>
      </div>
    </form>
  </dialog>`;
}
