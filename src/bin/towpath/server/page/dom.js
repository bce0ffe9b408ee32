
// Elements. All text goes in as text nodes: nothing that the server sends becomes markup.

function byId(id) {
  return document.getElementById(id);
}

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

function svgElement(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Sets a text only if it changes, so that a selection stays.
function setText(id, text) {
  const found = byId(id);
  if (found.textContent !== text) found.textContent = text;
}

function show(id, isShown) {
  byId(id).hidden = !isShown;
}

// A text of the server, such as a path: what cannot be seen is shown as an escape.
function nodesOf(text) {
  const nodes = [];
  let plain = "";
  for (const character of text) {
    if (INVISIBLE.test(character)) {
      if (plain) nodes.push(plain);
      plain = "";
      nodes.push(element("span", { className: "escape", textContent: escapeOf(character) }));
    } else {
      plain += character;
    }
  }
  return plain ? [...nodes, plain] : nodes;
}

// Isolated, so that its direction does not reach the text around it.
function isolated(text) {
  return element("bdi", { dir: "ltr" }, ...nodesOf(text));
}

function setForeign(id, text) {
  const found = byId(id);
  if (found.dataset.text === text) return;
  found.dataset.text = text;
  found.replaceChildren(...nodesOf(text));
}

// A cell of a table: `key` is all that its content depends on.
function cell(key, className, content) {
  return { key, className, content };
}

function textCell(text, className = "") {
  return cell(text, className, () => [text]);
}

function numberCell(text) {
  return textCell(text, "n");
}

function foreignCell(lines, title = "") {
  return cell(`${lines.join("\n")}\n${title}`, "text", () => {
    const [first, ...others] = lines.map(isolated);
    first.title = title;
    return [first, ...others.map((line) => element("span", { className: "second" }, line))];
  });
}

function progressCell(part, text) {
  const label = text || `${Math.floor(part * 100)} %`;
  return cell(`${Math.round(part * 1000)} ${label}`, "", () => [progressBar(part, label), label]);
}

function progressBar(part, label) {
  const bar = element("progress", { max: 1000, value: Math.round(part * 1000) });
  bar.setAttribute("aria-label", label);
  return bar;
}

// Updates the rows of a table; cells that stay the same are not touched.
function setRows(id, rows) {
  const body = byId(id);
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, index) => {
    const row = body.rows[index] ?? body.insertRow();
    cells.forEach(({ key, className, content }, column) => {
      const found = row.cells[column] ?? row.insertCell();
      if (found.dataset.key === key && found.className === className) return;
      found.dataset.key = key;
      found.className = className;
      found.replaceChildren(...content());
    });
  });
}
