// The dialog that imports an image: source and target, a preview, the start.

import { makeAccountFields } from "./account_fields.js";
import { api } from "./api.js";
import { buttons, openDialog } from "./dialog.js";
import { element, fill } from "./element.js";
import { announce, notice } from "./notice.js";
import { planView } from "./plan.js";
import { problemBox } from "./problem_box.js";
import { address, revisit } from "./route.js";

const EXISTS = 2;
const REFERRERS = { bring: true, leave: false };

/** Open the dialog; `given` are initial values, for example of an image that is imported again. */
export function openImportDialog(given = {}) {
  const fields = makeFields(given);
  const outcome = element("div", { class: "outcome" });
  const preview = element("button", { class: "button primary", type: "submit", value: "preview" }, "Preview");
  const start = element("button", { class: "button", type: "submit", value: "start" }, "Start import");
  const asking = new AbortController();
  const parts = { fields, outcome, preview, start, asking };
  const form = element(
    "form",
    { class: "body" },
    fields.elements,
    outcome,
    buttons(element("button", { class: "button quiet", type: "button", click: () => dialog.close() }, "Cancel"), preview, start),
  );
  const dialog = openDialog({ title: "Import an image", body: form, closed: () => asking.abort() });
  form.addEventListener("input", () => forget(parts));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(event.submitter?.value ?? "preview", dialog, parts);
  });
}

/** A preview is valid for its own request only. */
function forget({ outcome, preview, start }) {
  fill(outcome);
  emphasize(preview, start);
}

function emphasize(one, other) {
  one.classList.add("primary");
  other.classList.remove("primary");
}

async function submit(wanted, dialog, { fields, outcome, preview, start, asking }) {
  const request = fields.request();
  preview.disabled = start.disabled = true;
  fill(outcome, element("p", { class: "muted", role: "status" },
    wanted === "preview" ? "Asking the source and the target…" : "Looking the image up at its source…"));
  try {
    if (wanted === "preview") {
      const answer = await api.startImport({ ...request, dryRun: true }, asking.signal);
      fill(outcome, planView(answer));
      announce(answer.message);
      emphasize(start, preview);
    } else {
      begun(await api.startImport(request, asking.signal), dialog, outcome);
    }
  } catch (problem) {
    if (!asking.signal.aborted) fill(outcome, problemBox(problem));
  } finally {
    preview.disabled = start.disabled = false;
    outcome.scrollIntoView({ block: "nearest" });
    if (wanted === "preview" && !asking.signal.aborted) (outcome.querySelector(".plan") ? start : preview).focus();
  }
}

function begun(answer, dialog, outcome) {
  if (answer.state === EXISTS) {
    fill(outcome, element("p", { class: "message", role: "status" }, answer.message, " ",
      element("a", { href: address(`/images/${answer.alreadyImageId}`) }, "Show it")));
    return;
  }
  dialog.close();
  notice(`${answer.message}.`.replace("..", "."));
  revisit(`/images/${answer.imageId}`);
}

function makeFields(given) {
  const source = element("input", { id: "import-source", required: true, value: given.source, placeholder: "docker.io/library/alpine:3.20",
    autocomplete: "off", autocapitalize: "off", spellcheck: "false", autofocus: true });
  const target = element("input", { id: "import-target", value: given.target, placeholder: "project/repository:tag",
    autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const platforms = element("input", { id: "import-platforms", value: given.platforms, placeholder: "linux/amd64, linux/arm64",
    autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const description = element("input", { id: "import-description", maxlength: 2000, autocomplete: "off" });
  const referrers = element("select", { id: "import-referrers" },
    element("option", { value: "" }, "The operator's default"),
    element("option", { value: "bring" }, "Import them"),
    element("option", { value: "leave" }, "Leave them out"));
  const force = element("input", { id: "import-force", type: "checkbox", checked: given.force ? true : null });
  const account = makeAccountFields("import-account");
  const elements = [
    field("Image", source, "As for docker pull; may include a registry, a tag or a digest."),
    element("div", { class: "pair" },
      field("Target", target, "Empty: named after the source."),
      field("Platforms", platforms, "Empty: all platforms of the image.")),
    account.element,
    element(
      "details",
      { open: given.force ? true : null },
      element("summary", {}, "More"),
      field("Description", description),
      field("Signatures, SBOMs and other referrers", referrers),
      element("div", { class: "check" }, force,
        element("label", { for: force.id }, "Import even if the image exists, or another image has its name")),
    ),
  ];
  const request = () => ({
    source: source.value.trim(),
    ...optional(target.value.trim(), "target"),
    ...optional(description.value.trim(), "description"),
    ...optional(platforms.value.split(/[\s,]+/).filter(Boolean), "platforms"),
    ...optional(account.value(), "credentials"),
    ...optional(REFERRERS[referrers.value], "referrers"),
    ...(force.checked ? { force: true } : {}),
  });
  return { elements, request };
}

/** Empty fields are not sent. */
function optional(value, name) {
  return value === undefined || value.length === 0 ? {} : { [name]: value };
}

function field(name, input, help = "") {
  const helpId = `${input.id}-help`;
  if (help) input.setAttribute("aria-describedby", helpId);
  return element("div", { class: "field" }, element("label", { for: input.id }, name), input,
    help && element("p", { class: "help", id: helpId }, help));
}
