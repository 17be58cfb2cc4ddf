// Looks for what would keep people out: nameless controls, ids used twice, pictures without a word, and text whose
// contrast is too low (WCAG 2.2, 1.4.3). Returns sentences; none where all is well.
() => {
  const found = [];
  const visible = (node) => node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && !hiddenToEyes(node);
  const hiddenToEyes = (node) => node.closest(".visually-hidden, .skip") !== null;
  const shown = [...document.body.querySelectorAll("*")].filter(visible);

  const named = (node) =>
    (node.getAttribute("aria-label") ?? "").trim() ||
    (node.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join("").trim() ||
    [...(node.labels ?? [])].map((label) => label.textContent).join("").trim() ||
    (node.matches("input, select, textarea") ? "" : node.textContent.trim());
  for (const node of shown.filter((each) => each.matches("a, button, input, select, textarea, summary, dialog, nav, [role=progressbar]"))) {
    if (!named(node)) found.push(`no name: ${node.outerHTML.slice(0, 120)}`);
  }
  for (const node of shown.filter((each) => each.matches("img:not([alt])"))) found.push(`no text: ${node.outerHTML}`);
  for (const node of shown.filter((each) => each.tabIndex > 0)) found.push(`an order of its own: ${node.outerHTML.slice(0, 120)}`);
  for (const node of shown.filter((each) => each.matches("a:not([href])"))) found.push(`no keyboard: ${node.outerHTML.slice(0, 120)}`);

  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  for (const id of ids.filter((each, place) => ids.indexOf(each) !== place)) found.push(`id used twice: ${id}`);
  if (document.querySelectorAll("h1").length !== 1) found.push("not one main heading");
  if (document.querySelectorAll("main").length !== 1) found.push("not one main part");
  if (!document.documentElement.lang || !document.title) found.push("no language or title");

  const channels = (color) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return { rgb: [red, green, blue], alpha: alpha / 255 };
  };
  const luminance = (rgb) => {
    const [red, green, blue] = rgb.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const color = channels(getComputedStyle(each).backgroundColor);
      if (color.alpha > 0.99) return color.rgb;
    }
    return channels(getComputedStyle(document.documentElement).backgroundColor).rgb;
  };
  const dialog = document.querySelector("dialog[open]");
  for (const node of shown) {
    const text = [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
    if (!text && !node.matches("input, select")) continue;
    if (node.closest(":disabled") || node.matches("option, noscript") || (dialog && !dialog.contains(node))) continue;
    const style = getComputedStyle(node);
    const [one, other] = [luminance(channels(style.color).rgb), luminance(ground(node))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (large ? 3 : 4.5)) found.push(`contrast ${contrast.toFixed(2)}: ${node.outerHTML.slice(0, 120)}`);
  }
  return found;
}
