export const greet = () => alert("hello");
