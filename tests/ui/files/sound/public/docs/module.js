export * from "../script.js";
