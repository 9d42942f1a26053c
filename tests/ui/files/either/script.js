new WebSocket(`ws://${location.host}/news`);
new WebSocket("wss://" + location.host + "/news");
new WebSocket(`https://${location.host}/news`);
new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/news`);
new WebSocket("/news");
