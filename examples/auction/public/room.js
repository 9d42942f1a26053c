const element = (id) => document.getElementById(id);
let socket;

element("door").onsubmit = (event) => {
  event.preventDefault();
  document.cookie = `name=${encodeURIComponent(element("name").value)}; path=/; secure`;
  element("door").hidden = true;
  element("form").hidden = false;
  socket = new WebSocket(`/rooms/${encodeURIComponent(document.body.dataset.room)}`);
  socket.onmessage = ({ data }) => {
    const lot = JSON.parse(data);
    element("error").textContent = lot.error ?? "";
    if (lot.error) return;
    element("euros").textContent = lot.euros;
    element("bidder").textContent = lot.bidder ?? "nobody";
    element("seconds").textContent = lot.seconds_left;
  };
};
element("form").onsubmit = (event) => {
  event.preventDefault();
  socket.send(JSON.stringify({ euros: element("bid").valueAsNumber }));
};
