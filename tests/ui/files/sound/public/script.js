const NEWS = `ws://${location.hostname}:8090/news`;
new WebSocket(NEWS);
new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/news`);
new WebSocket(`/rooms/${location.hash}`);
fetch("/users/" + 7 + "/photo");
fetch("/users/7", { method, body });
// pode: external
fetch("/of-another-server");
