// A page as those are that were written for Pode: what is typed goes over the
// WebSocket, with where to and for whom, and what comes is shown.

const ws = new WebSocket(`ws://${location.host}/msg`);

ws.onopen = () => document.body.classList.add("open");

ws.onmessage = (event) => {
  const line = document.createElement("p");
  line.textContent = event.data;
  document.getElementById("messages").append(line);
};

document.getElementById("post").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  ws.send(JSON.stringify({
    message: form.message.value,
    path: "/msg",
    direct: form.direct.checked,
  }));
  form.message.value = "";
});
