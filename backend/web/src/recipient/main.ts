import "./recipient.css";

document.documentElement.classList.add("scripted");
