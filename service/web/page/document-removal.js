/* To remove a document, which is asked once more, and to bring back a report that was only hidden. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { ref } from "./vendor/lit-html/directives/ref.js";
import { focusOn } from "./document-form.js";
import { library, remove, restore } from "./library.js";
import { toast, update } from "./page.js";
import { tidy } from "./text.js";
import { CHINESE, words } from "./words.js";

const t = words({
  remove: ["移除", "Remove"],
  of: ["{what}：《{name}》", "{what}: 《{name}》"],
  removed: ["已移除的报告", "Removed reports"],
  restore: ["恢复", "Bring back"],
  restoring: ["正在恢复…", "Bringing back…"],
  restored: ["已恢复《{title}》。", "《{title}》 is back."],
  removing: ["正在移除…", "Removing…"],
  gone: ["已移除《{title}》。", "Removed 《{title}》."],
  cancel: ["取消", "Cancel"],
  sure: ["移除《{title}》？", "Remove 《{title}》?"],
  lost: [
    "它的文件、旧版与索引都会删去，不能恢复；已经发出的出处链接不再打得开。",
    "Its file, earlier versions and index are deleted for good; links to its quotes no longer open.",
  ],
  hidden: [
    "它不再被检索和引用。文件不动，以后可以在本页“已移除的报告”里恢复。",
    "It is no longer searched or cited. Its file stays; bring it back on this page at any time.",
  ],
});

let removing = null; // { document, isBusy, problem }
let restoring = ""; // the id of the report that comes back just now

export function askToRemove(document) {
  removing = { document, isBusy: false, problem: null };
  update();
}

/** The button that asks, to which the keyboard returns. */
export function removeButtonId(id) {
  return `remove-${id}`;
}

async function removeIt() {
  const mine = removing;
  Object.assign(mine, { isBusy: true, problem: null });
  update();
  try {
    await remove(mine.document.id);
    if (removing === mine) removing = null;
    toast(t("gone", { title: tidy(mine.document.title) }));
    focusOn("documents-title");
  } catch (problem) {
    Object.assign(mine, { isBusy: false, problem });
    if (removing !== mine) toast(problem.message); // the dialog was closed meanwhile
    update();
  }
}

/** Bring back a report of the folder. */
async function bringBack({ id, title }) {
  restoring = id;
  update();
  try {
    await restore(id);
    toast(t("restored", { title: tidy(title) }));
    focusOn("documents-title");
  } catch (problem) {
    toast(problem.message);
  }
  restoring = "";
  update();
}

// -- views -------------------------------------------------------------------------------------------------------------

export function removedShelf() {
  if (!library.removed.length) return nothing;
  return html`<section class="shelf removed" aria-labelledby="shelf-removed">
    <h2 id="shelf-removed">${t("removed")} <span class="faint">${library.removed.length}</span></h2>
    <ul>
      ${library.removed.map((report) => {
        const name = tidy(report.title);
        const isBusy = restoring === report.id;
        return html`<li class="row">
          <span lang=${CHINESE}>《${name}》（${report.year}）</span>
          ${library.forbidden
            ? nothing
            : html`<button
                class="button quiet small"
                aria-label=${t("of", { what: t("restore"), name })}
                ?disabled=${isBusy}
                @click=${() => bringBack(report)}
              >
                ${t(isBusy ? "restoring" : "restore")}
              </button>`}
        </li>`;
      })}
    </ul>
  </section>`;
}

/** A template is filled in before it stands in the page, and only there can a dialog open. */
function showModal(dialog) {
  queueMicrotask(() => dialog?.isConnected && !dialog.open && dialog.showModal());
}

export function removalDialog() {
  if (!removing) return nothing;
  const { document, isBusy, problem } = removing;
  const close = () => {
    removing = null;
    focusOn(removeButtonId(document.id));
  };
  return html`<dialog class="dialog" aria-labelledby="removal-title" ${ref(showModal)} @close=${close}>
    <h2 id="removal-title">${t("sure", { title: tidy(document.title) })}</h2>
    <p>${t(document.own ? "lost" : "hidden")}</p>
    ${problem ? html`<p class="error" role="alert" lang=${CHINESE}>${problem.message}</p>` : nothing}
    <div class="row end">
      <button class="button quiet" ?disabled=${isBusy} @click=${close}>${t("cancel")}</button>
      <button class="button" ?disabled=${isBusy} @click=${removeIt}>${t(isBusy ? "removing" : "remove")}</button>
    </div>
  </dialog>`;
}
