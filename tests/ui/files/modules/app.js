import { greet } from "./tool.js";
greet();
const request = new XMLHttpRequest();
request.open("POST", "/note");
request.send("peas");
