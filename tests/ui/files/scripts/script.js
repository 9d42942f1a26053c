// Listens to the news.
const signal = new WebSocket(`ws://${location.hostname}:8092/news`);
