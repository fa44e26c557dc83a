// Two lines of help for widgets: elements in few words, and a style sheet that is added once.

/** An element; `attributes` that are functions become listeners, false and null leave an attribute out. */
export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Put a style sheet into the page under an id of its own. */
export function addStyle(id, text) {
  if (document.getElementById(id)) return;
  const style = make("style", { id });
  style.textContent = text;
  document.head.append(style);
}
