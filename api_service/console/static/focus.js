// Keeping the place of those who use the keyboard when what they are in is made anew.

/** Make a place's content anew; what had the focus has it again, by its `data-key`, or else `otherwise` gets it. */
export function keepFocus(place, makeAnew, otherwise) {
  const held = place.contains(document.activeElement) ? (document.activeElement.dataset.key ?? "") : null;
  makeAnew();
  if (held === null || place.contains(document.activeElement)) return;
  const same = held ? place.querySelector(`[data-key="${CSS.escape(held)}"]`) : null;
  (same && !same.disabled ? same : otherwise())?.focus();
}
