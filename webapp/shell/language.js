/* Gradio's front end asks the browser for its language. It is answered the language that the server decided on, which stands in
 * the page already (page.py).
 */
(() => {
  "use strict";
  const language = document.documentElement.lang;
  Object.defineProperty(navigator, "language", { get: () => language });
  Object.defineProperty(navigator, "languages", { get: () => [language] });
})();
