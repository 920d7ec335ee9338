"use strict";
// The page's policy lets HTML in through here only. Our server sends no scripts and no handlers in
// parts of pages, so a part that has one was made by somebody else's text and is thrown away.
if (window.trustedTypes) {
  const inspect = trustedTypes.createPolicy("inspect", { createHTML: (text) => text });
  const inert = document.implementation.createHTMLDocument("");
  trustedTypes.createPolicy("default", {
    createHTML(text) {
      const holder = inert.createElement("template");
      holder.innerHTML = inspect.createHTML(text);
      for (const element of holder.content.querySelectorAll("*")) {
        const names = element.getAttributeNames();
        const links = ["href", "src", "action", "formaction", "xlink:href"];
        const active = ["script", "iframe", "object", "embed"].includes(element.localName);
        const handles = names.some((name) => name.startsWith("on") || name.startsWith("hx-on"));
        const leads = links.some((name) => /^\s*(javascript|data):/i.test(element.getAttribute(name) || ""));
        if (active || handles || leads) throw new TypeError("A part of the page was not ours.");
      }
      return text;
    },
  });
}
