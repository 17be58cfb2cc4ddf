// The filters of the list of images.

import { element, icon } from "./element.js";
import { SEARCH } from "./icons.js";
import { ORDERS } from "./image_query.js";

// Typing delays the request until it pauses this long. Milliseconds.
const TYPING = 300;

/** Create the row of filters; calls `changed` with the filters, `show` sets them from the address. */
export function imageFilters(changed) {
  let timer = null;
  const take = () => {
    clearTimeout(timer);
    timer = null;
    changed({ text: text.value.trim() }, { replace: true });
  };
  const text = element("input", {
    id: "filter-text",
    type: "search",
    placeholder: "Repository or tag",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: 400,
    input: () => {
      clearTimeout(timer);
      timer = setTimeout(take, TYPING);
    },
    // Leaving the field ends the typing.
    change: () => timer !== null && take(),
  });
  const show = select("filter-show", [["", "Any status"], ["ready", "Ready"], ["other", "Importing or failed"]], (value) =>
    changed({ show: value }));
  const sort = select("filter-sort", ORDERS.flatMap(([name, falling, rising]) =>
    [[`${name} desc`, falling], [`${name} asc`, rising]]), (value) => {
    const [orderBy, order] = value.split(" ");
    changed({ orderBy, order });
  });
  const mine = element("input", { id: "filter-mine", type: "checkbox", change: () => changed({ mine: mine.checked }) });
  const made = element(
    "search",
    { class: "filters" },
    element("div", { class: "searching" }, label(text, "Find images"), icon(SEARCH), text),
    element("div", {}, label(show, "Status"), show),
    element("div", {}, label(sort, "Order"), sort),
    element("div", { class: "check" }, mine, element("label", { for: mine.id }, "Mine")),
  );
  return {
    element: made,
    show(wanted) {
      // Text that is being typed is newer than the address.
      if (document.activeElement !== text && timer === null) text.value = wanted.text;
      show.value = wanted.show;
      sort.value = `${wanted.orderBy} ${wanted.order}`;
      mine.checked = wanted.mine;
    },
  };
}

function label(input, text) {
  return element("label", { for: input.id, class: "visually-hidden" }, text);
}

function select(id, options, changed) {
  const made = element("select", { id, change: () => changed(made.value) },
    options.map(([value, text]) => element("option", { value }, text)));
  return made;
}
