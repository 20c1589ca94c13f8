// The element <longshore-job src="..."> shows a job by server-sent events. It needs no htmx, and works in
// content that htmx has swapped in. The server sends the whole content each time, so that a connection
// that broke off needs nothing but another one.
if (!customElements.get("longshore-job")) {
  customElements.define("longshore-job", class extends HTMLElement {
    connectedCallback() {
      if (!this.source && this.hasAttribute("src")) this.open(1000);
    }

    disconnectedCallback() {
      clearTimeout(this.timer);
      this.source?.close();
      this.source = null;
    }

    open(pause) {
      const source = this.source = new EventSource(this.getAttribute("src"));
      source.onopen = () => { pause = 1000; };
      source.onmessage = event => this.show(event.data);
      source.addEventListener("end", () => {
        this.removeAttribute("src");
        this.disconnectedCallback();
      });
      // A browser reconnects by itself after a connection error, but not after an error status, such as
      // that of a proxy while the application restarts.
      source.onerror = () => {
        if (source.readyState !== EventSource.CLOSED || this.source !== source) return;
        this.timer = setTimeout(() => this.open(Math.min(2 * pause, 30000)), pause);
      };
    }

    show(html) {
      this.innerHTML = html;
      globalThis.htmx?.process(this);
    }
  });
}
