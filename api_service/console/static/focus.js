// Keeps the keyboard's focus when content is replaced.

/** Replace an element's content; the focus returns to the element with the same `data-key`, else to `otherwise`. */
export function keepFocus(place, makeAnew, otherwise) {
  const held = place.contains(document.activeElement) ? (document.activeElement.dataset.key ?? "") : null;
  makeAnew();
  if (held === null || place.contains(document.activeElement)) return;
  const same = held ? place.querySelector(`[data-key="${CSS.escape(held)}"]`) : null;
  (same && !same.disabled ? same : otherwise())?.focus();
}
