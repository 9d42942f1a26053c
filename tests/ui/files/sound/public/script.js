import "./docs/module.js";
const NEWS = `ws://${location.hostname}:8090/news`;
new WebSocket(NEWS);
new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/news`);
new WebSocket(`/rooms/${location.hash}`);
fetch("/users/" + 7 + "/photo");
fetch("/users/7", { method, body });
// pode: external
fetch("/of-another-server");
new XMLHttpRequest().open("POST", "/users/7");
fetch("/users/7", { method: "POST", headers: { "content-type": "text/plain" }, body: "{}" });
fetch("/notes", { method: "post", body: new FormData(form) });
fetch("/notes", { method: "PATCH", headers: { "content-type": "application/json" }, body });
