// The dialog that imports an image: source and target, a preview, the start.

import { makeAccountFields } from "./account_fields.js";
import { api } from "./api.js";
import { buttons, openDialog } from "./dialog.js";
import { element, fill } from "./element.js";
import { checkbox, input, makeField, refuseFields } from "./fields.js";
import { announce, notice } from "./notice.js";
import { planView } from "./plan.js";
import { problemBox } from "./problem_box.js";
import { address, revisit } from "./route.js";

const EXISTS = 2;
const REFERRERS = { bring: true, leave: false };
// The fields that a refusal is about.
const CODES = {
  reference_malformed: "source",
  source_not_allowed: "source",
  source_not_found: "source",
  limit_reached: "source",
  target_not_allowed: "target",
  target_tag_foreign: "target",
  import_conflict: "target",
  platform_not_available: "platforms",
};

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

/** A preview and a refusal are valid for their own request only. */
function forget({ fields, outcome, preview, start }) {
  for (const field of Object.values(fields.fields)) field.forget();
  fill(outcome);
  emphasize(preview, start);
}

function emphasize(one, other) {
  one.classList.add("primary");
  other.classList.remove("primary");
}

async function submit(wanted, dialog, { fields, outcome, preview, start, asking }) {
  const request = fields.request();
  for (const field of Object.values(fields.fields)) field.forget();
  let refused = false;
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
    if (asking.signal.aborted) return;
    if (problem.code === "target_tag_foreign") fields.showForce();
    refused = refuseFields(problem, fields.fields, CODES);
    fill(outcome, problemBox(problem, { brief: refused }));
  } finally {
    preview.disabled = start.disabled = false;
    if (!refused) outcome.scrollIntoView({ block: "nearest" });
    if (wanted === "preview" && !refused && !asking.signal.aborted) (outcome.querySelector(".plan") ? start : preview).focus();
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
  const source = input("import-source", { required: true, value: given.source, placeholder: "docker.io/library/alpine:3.20", autofocus: true });
  const target = input("import-target", { value: given.target, placeholder: "project/repository:tag" });
  const platforms = input("import-platforms", { value: given.platforms, placeholder: "linux/amd64, linux/arm64" });
  const description = element("input", { id: "import-description", maxlength: 2000, autocomplete: "off" });
  const referrers = element("select", { id: "import-referrers" },
    element("option", { value: "" }, "The operator's default"),
    element("option", { value: "bring" }, "Import them"),
    element("option", { value: "leave" }, "Leave them out"));
  const { control: force, element: forced } = checkbox("import-force",
    "Import even if the image exists, or replace a tag that Longshore did not write, if a rule allows that", given.force);
  const account = makeAccountFields("import-account");
  const fields = {
    source: makeField("Image", source, "As for docker pull; may include a registry, a tag or a digest."),
    target: makeField("Target", target, "Empty: named after the source."),
    platforms: makeField("Platforms", platforms, "Empty: all platforms of the image."),
    description: makeField("Description", description),
  };
  const more = element(
    "details",
    { open: given.force ? true : null },
    element("summary", {}, "More"),
    fields.description.element,
    makeField("Signatures, SBOMs and other referrers", referrers).element,
    forced,
  );
  const elements = [
    fields.source.element,
    element("div", { class: "pair" }, fields.target.element, fields.platforms.element),
    account.element,
    more,
  ];
  const showForce = () => {
    more.open = true;
  };
  const request = () => ({
    source: source.value.trim(),
    ...optional(target.value.trim(), "target"),
    ...optional(description.value.trim(), "description"),
    ...optional(platforms.value.split(/[\s,]+/).filter(Boolean), "platforms"),
    ...optional(account.value(), "credentials"),
    ...optional(REFERRERS[referrers.value], "referrers"),
    ...(force.checked ? { force: true } : {}),
  });
  return { elements, fields, request, showForce };
}

/** Empty fields are not sent. */
function optional(value, name) {
  return value === undefined || value.length === 0 ? {} : { [name]: value };
}
