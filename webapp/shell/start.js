/* What is done to the whole page, before Gradio's front end starts. */

// The language. Gradio asks the browser for it, and is answered the one that the server decided on (page.py).
(() => {
  "use strict";
  const language = document.documentElement.lang;
  Object.defineProperty(navigator, "language", { get: () => language });
  Object.defineProperty(navigator, "languages", { get: () => [language] });
})();

// Which tab is open stands in the address (`?tab=runs`), so that a reload, a bookmark and a link land there; the server opens
// it (page.py).
(() => {
  "use strict";
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[role=tab][id^=tab-][id$=-button]");
    if (!button) return;
    const url = new URL(location.href);
    url.searchParams.set("tab", button.id.slice("tab-".length, -"-button".length));
    history.replaceState(history.state, "", url);
  });
})();

// What Gradio's own front end says in English only, in Chinese on the Chinese page: its toasts about files and the connection.
// Our own messages come in the visitor's language already.
(() => {
  "use strict";
  if (!document.documentElement.lang.startsWith("zh")) return;

  const SAID = [
    [/^Error$/, "出错了"],
    [/^Warning$/, "注意"],
    [/^Info$/, "提示"],
    [/^Success$/, "完成"],
    [/^Invalid file types?: (.*)\. Only (.*) allowed\.$/, "不支持的文件类型：$1。仅支持 $2。"],
    [/^File\(s\) exceed the maximum allowed size of (.*?): (.*)$/, "文件超过 $1 的上限：$2"],
    [/^Could not load image\. Please make sure to use a supported image type such as PNG or JPEG\.$/, "无法载入图片，请使用 PNG、JPEG 等受支持的格式。"],
    [/^Waiting for file\(s\) to finish uploading, please retry\.$/, "文件尚未上传完成，请稍后重试。"],
    [/^This application is currently busy\. Please try again\.\s*$/, "当前较忙，请稍后重试。"],
    [/^Connection errored out\.\s*(.*)$/, "连接出错。$1"],
    [/^(?:Lost connection due to leaving page\. Rejoining queue\.\.\.)$/, "离开页面时连接中断，正在重新排队…"],
    [/^Upload failed\.?$/, "上传失败。"],
  ];

  function translate(toast) {
    const walker = document.createTreeWalker(toast, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode.data.trim();
      const found = SAID.find(([said]) => said.test(text));
      if (found) walker.currentNode.data = text.replace(...found);
    }
  }

  new MutationObserver((changes) => {
    for (const change of changes) {
      const toast = change.target.parentElement?.closest(".toast-body") ?? change.target.closest?.(".toast-body");
      if (toast) translate(toast);
      for (const node of change.addedNodes) node.querySelectorAll?.(".toast-body").forEach(translate);
    }
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
