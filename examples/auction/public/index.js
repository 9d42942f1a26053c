import { signal } from "/_pode/pode.js";

const news = document.getElementById("news");
signal("/news").on(({ news: what, room, lot }) => {
  const item = document.createElement("li");
  item.textContent = what === "sold" ? `${room}: sold for ${lot.euros} €` : `${room}: offered`;
  news.prepend(item);
});
