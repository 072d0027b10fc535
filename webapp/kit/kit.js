/* What the scripts of all tabs share; on every page (`shell/theme.py` puts it into the head).
 *
 *   make(tag, properties, ...children)   an element; strings become text nodes
 *   download(url, name)                  the browser saves what lies there
 *   mountHandover(props, watch)          downloads.py: saves each file that the server hands over
 *   mountNames(element, trigger)         examples.py: a click on `[data-name]` triggers `click` with {name}
 *   showOutputs(id)                      running.py: on a phone, scrolls to the results
 */
(() => {
  "use strict";
  if (window.WorkbenchKit) return;

  function make(tag, properties = {}, ...children) {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  }

  function download(url, name) {
    const link = make("a", { href: url, download: name });
    document.body.append(link);
    link.click();
    link.remove();
  }

  /** `props.value`: { file: {url, orig_name}, number } */
  function mountHandover(props, watch) {
    let last = props.value?.number;
    watch("value", () => {
      const handed = props.value;
      if (!handed || handed.number === last) return;
      last = handed.number;
      download(handed.file.url, handed.file.orig_name);
    });
  }

  function mountNames(element, trigger) {
    element.addEventListener("click", (event) => {
      const named = event.target.closest("[data-name]");
      if (named) trigger("click", { name: named.dataset.name });
    });
  }

  function showOutputs(id) {
    const outputs = document.getElementById(id);
    if (outputs.getBoundingClientRect().top > innerHeight / 2) outputs.scrollIntoView({ behavior: "smooth" });
  }

  window.WorkbenchKit = { make, download, mountHandover, mountNames, showOutputs };
})();
