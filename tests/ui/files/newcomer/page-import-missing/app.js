import { greet } from "./tool.js";
greet();
