import { signal } from "/_pode/pode.js";

const element = (id) => document.getElementById(id);
let room;

element("door").onsubmit = (event) => {
  event.preventDefault();
  document.cookie = `name=${encodeURIComponent(element("name").value)}; path=/; secure`;
  element("door").hidden = true;
  element("form").hidden = false;
  room = signal(`/rooms/${encodeURIComponent(document.body.dataset.room)}`);
  room.on((lot) => {
    element("error").textContent = "";
    element("euros").textContent = lot.euros;
    element("bidder").textContent = lot.bidder ?? "nobody";
    element("seconds").textContent = lot.seconds_left;
  });
};
element("form").onsubmit = async (event) => {
  event.preventDefault();
  try {
    await room.send({ euros: element("bid").valueAsNumber });
  } catch (error) {
    element("error").textContent = error.message;
  }
};
