const news = document.getElementById("news");
new WebSocket("/news").onmessage = ({ data }) => {
  const { news: what, room, lot } = JSON.parse(data);
  const item = document.createElement("li");
  item.textContent = what === "sold" ? `${room}: sold for ${lot.euros} €` : `${room}: offered`;
  news.prepend(item);
};
