
// Puts the parts together.

const token = new Token();
token.takeFromAddress();

const readSeries = async (path) => {
  try {
    return await (await request(path, token)).json();
  } catch {
    // The stream says what is wrong with the connection.
    return null;
  }
};
const chart = new Chart(byId("chart"), byId("readout"));
const series = new SeriesLoader(chart, readSeries);

const feed = new Feed(token, {
  onStatus(status) {
    showStatus(status);
    if (isRunning(status)) series.tick();
  },
  onState(state, text) {
    byId("connection").dataset.state = state;
    setText("connection", text);
  },
  onUnauthorized() {
    const reason = token.isSet ? "The token was not accepted." : "";
    token.forget();
    setText("access-reason", reason);
    byId("connection").dataset.state = "waiting";
    setText("connection", "not connected");
    for (const id of ["run", "trees", "footer"]) show(id, false);
    show("access", true);
    byId("token").focus();
  },
});

byId("access").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId("token");
  token.set(input.value);
  input.value = "";
  if (token.isSet) {
    feed.connect();
  } else {
    setText("access-reason", "A token has letters, digits and -._~+/= only.");
  }
});
addEventListener("hashchange", () => {
  token.takeFromAddress();
  feed.connect();
});
addEventListener("online", () => feed.hurry());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) feed.hurry();
});

feed.connect();
