await fetch("/points", {
  method: "PUT",
});
